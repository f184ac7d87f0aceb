"""A text beside its picture, of the same name: `bicycle.jpg`, `bicycle.txt`.

A `.txt` or `.caption` holds a caption a line, or keywords with commas between them: which of them
is decided for the source as a whole. A WebDataset has besides them a `.cls` with a class.
"""

from labeling.imports import texts
from labeling.imports.entries import By, Entry, Kind, Layout, Readings, Reference, Refusal
from labeling.imports.members import Member
from labeling.imports.options import Options
from labeling.imports.paths import stem

SIZE_MAX = 64 * 1024  # bytes
A_NUMBER = "a class by its number alone: its name is wanted"


def reference(member: Member) -> Reference:
    """Return the picture that a file beside it is of."""
    return Reference(stem(member.path), By.STEM)


def _read_text(member: Member, options: Options) -> Readings:
    text = texts.decode(member.read(SIZE_MAX), options.encoding)
    if texts.lines(text):
        yield Entry(reference(member), Kind.TEXT, text, member.path)


def _read_class(member: Member, options: Options) -> Readings:
    text = texts.decode(member.read(SIZE_MAX), options.encoding).strip()
    if text.isdigit():
        yield Refusal(member.path, Kind.KEYWORD, A_NUMBER)
    elif text:
        yield Entry(reference(member), Kind.KEYWORD, text, member.path)


TEXT = Layout("text beside the picture", _read_text, suffixes=(".txt", ".caption"))
CLASS = Layout("class beside the picture", _read_class, suffixes=(".cls",))
