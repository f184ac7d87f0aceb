"""A text beside its picture, of the same name: `bicycle.jpg`, `bicycle.txt`, `bicycle.jpg.txt`.

A `.txt` or `.caption` holds a caption a line, or keywords with commas between them: which of them
is decided for all of one suffix together. The numbers of YOLO's labels are neither (`yolo`). A
WebDataset has besides them a `.cls` with a class.
"""

from labeling.imports import texts
from labeling.imports.entries import By, Entry, Kind, Layout, Readings, Reference, Remark
from labeling.imports.layouts import lists, passed_over, tables, yolo
from labeling.imports.layouts.records import by_name
from labeling.imports.layouts.rows import class_number
from labeling.imports.members import Member
from labeling.imports.options import Options
from labeling.imports.paths import stem

SIZE_MAX = 64 * 1024  # bytes
KEPT, WITHIN_TAG = "|||", ";;;"  # as sd-scripts' separators are called in nearly all examples
HEADED = ("captions.txt", "labels.txt", "annotations.txt")  # tables, where they have a header
SUFFIXES = (
    *(".txt", ".caption", ".captions", ".tags", ".tag"),
    *(f".caption{number}" for number in range(10)),
)


def reference(member: Member) -> Reference:
    """Return the picture that a file beside it is of."""
    return Reference(stem(member.path), By.STEM)


def _read_text(member: Member, options: Options) -> Readings:
    with member.open() as file:
        data = file.read(SIZE_MAX + 1)
    if _is_table(data, member.path):
        yield from tables.read_csv(member, options)
        return
    if len(data) > SIZE_MAX:  # which says that it is too large, unless many objects are
        data = member.read(yolo.SIZE_MAX if yolo.may_be_labels(data) else SIZE_MAX)
    text = texts.decode(data, options.encoding)
    if yolo.is_labels(text):
        yield from (by_name(each, "YOLO") for each in yolo.read(text, member.path))
    elif yolo.are_of_others(text):
        yield from yolo.refuse(text, member.path)
    elif lists.is_list(text, member.path):
        yield Remark(member.path, passed_over.PASSED_OVER)
    elif texts.lines(text):
        yield from _read_beside(text, member)


def _read_beside(text: str, member: Member) -> Readings:
    """Read what lies beside a picture; kohya's trainers shuffle what follows a `|||` as tags."""
    suffix = "." + member.path.rpartition(".")[2].lower()
    found, heads, tags = reference(member), list[str](), dict[str, None]()
    for line in texts.lines(text) if KEPT in text else [text]:
        head, kept, tail = line.partition(KEPT)
        heads.append(head.strip() if kept else line)
        parts = (part.replace(WITHIN_TAG, ",").strip() for part in tail.split(","))
        tags.update(dict.fromkeys(filter(None, parts)))
    if any(heads):
        captions, is_marked = "\n".join(filter(None, heads)), KEPT in text
        yield Entry(found, Kind.TEXT, captions, member.path, group=suffix, is_marked=is_marked)
    for tag in tags:
        yield Entry(found, Kind.KEYWORD, tag, member.path)


def _is_table(data: bytes, path: str) -> bool:
    """Whether a text names several pictures, as Flickr8k's `captions.txt` does."""
    first = data.removeprefix(texts.UTF_8_MARK).partition(b"\n")[0].decode("utf-8", "replace")
    is_headed = path.rpartition("/")[2].lower() in HEADED and tables.has_header(first)
    return is_headed or tables.is_listed(first)


def _read_class(member: Member, options: Options) -> Readings:
    text = texts.decode(member.read(SIZE_MAX), options.encoding).strip()
    found = reference(member)
    if text:
        number = class_number(text, found)
        yield Entry(found, Kind.KEYWORD, text if number is None else number, member.path)


TEXT = Layout("text beside the picture", _read_text, suffixes=SUFFIXES)
CLASS = Layout("class beside the picture", _read_class, suffixes=(".cls",))
