"""Write a snapshot in a format, count what was written, and read all of it again."""

from collections import Counter
from collections.abc import Callable, Collection, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from labeling import snapshot_folder
from labeling.exports import pictures, rows
from labeling.exports.errors import ExportError
from labeling.exports.options import Options
from labeling.exports.sinks import ArchiveSink, FolderSink
from labeling.exports.stored import Stored, check, listed
from labeling.exports.writer import About, Counts, Format
from labeling.snapshot_folder import METADATA, SPLITS, SnapshotError

KINDS = "pictures", "texts", "captions", "tags", "labels", "boxes", "answers", "other_answers"
WRITING = 0.8  # share of the work; the rest is reading it again
OnProgress = Callable[[float], None]  # called with the share that is done, 0 to 1
Answers = Callable[[], Iterator[dict[str, Any]]]


@dataclass(frozen=True)
class Source:
    """A snapshot to be exported."""

    folder: Path
    sha256: str = ""  # that it must have; empty: what its manifest says
    removed: Collection[str] = ()  # names of files of pictures that were removed since
    answers: Answers | None = None  # raw ones, where the database is at hand

    def manifest(self) -> dict[str, Any]:
        """Return its manifest without `files`.

        Raises SnapshotError where it, or a row, is not as it was frozen. Pictures are checked as
        they are read.
        """
        names = {f"{split}/{METADATA}" for split in SPLITS}
        manifest = snapshot_folder.read_checked(self.folder, names)
        if self.sha256 not in ("", manifest["sha256"]):
            raise SnapshotError(
                f"{self.folder} holds another snapshot, {manifest['sha256'][:8]}, instead of "
                f"{self.sha256[:8]}: freeze a new snapshot."
            )
        for name in sorted(names):
            path, expected = self.folder / name, manifest["files"].get(name)
            if not path.is_file():
                if expected is not None:
                    raise SnapshotError(f"{self.folder} lacks {name}: freeze a new snapshot.")
            elif snapshot_folder.digest_of_file(path) != expected:
                raise SnapshotError(f"{path} was changed after freezing: freeze a new snapshot.")
        return manifest


class Digests:
    """The SHA-256 of a snapshot's pictures, which are asked for in the order of its rows."""

    def __init__(self, folder: Path) -> None:
        self._folder, self._split = folder, ""
        self._files: Iterator[tuple[str, str]] = iter(())

    def of(self, split: str, file_name: str) -> str:
        """Return that of the next picture. Raises SnapshotError where the manifest has none."""
        if split != self._split:
            self._split, self._files = split, snapshot_folder.read_digests(self._folder)
        wanted = f"{split}/{file_name}"
        for name, digest in self._files:
            if name == wanted:
                return digest
        raise SnapshotError(f"The manifest of {self._folder} has no {wanted}: freeze a new one.")


@dataclass(frozen=True)
class Result:
    """What an export holds, and what of the snapshot it does not."""

    counts: Counts
    left_out: dict[str, int] = field(default_factory=dict)  # by the reason
    sha256: str = ""  # of its manifest
    size: int = 0  # bytes


def write(
    source: Source,
    format: Format,
    options: Options,
    sink: FolderSink | ArchiveSink,
    on_progress: OnProgress = lambda share: None,
) -> Result:
    """Write all files into a sink, the manifest last. Raises ExportError and SnapshotError."""
    manifest = source.manifest()
    not_chosen, homeless = Counter[str](), Counter[str]()
    _check_suffix(format, options)
    with ExitStack() as files:
        about = About(
            project=manifest["about"]["name"],
            snapshot=manifest["sha256"],
            options=options,
            manifest=manifest,
            rows=lambda: rows.read(source.folder, options, Counter(), source.removed),
            left_out=homeless,
            files=files,
            answers=source.answers,
        )
        passed = Counter[str]()
        total = max(1, manifest["counts"]["images"])
        writer, digests = format.writer(sink, about), Digests(source.folder)
        for row in rows.read(source.folder, options, not_chosen, source.removed):
            passed.update(pictures=1, captions=len(row.captions), boxes=len(row.boxes))
            sha256 = digests.of(row.split, row.file_name)
            writer.write(row, pictures.of_row(source.folder, row, sha256, options, format.suffixes))
            on_progress(WRITING * passed["pictures"] / total)
        if not passed["pictures"]:
            raise ExportError("The options leave no picture: choose others.")
        _check_law(manifest["counts"], passed, not_chosen)
        counts = writer.close()
    if not any(counts.values()):
        raise ExportError("Nothing is left to be written: choose other options.")
    return Result(counts, dict(not_chosen + homeless), sink.finish(), sink.size)


def read_back(
    stored: Stored,
    format: Format,
    result: Result,
    on_progress: OnProgress = lambda share: None,
) -> None:
    """Hash and count what is there. Raises ExportError where it differs from what was written."""
    total = max(1, sum(1 for _ in listed(stored)))
    check(stored, lambda number: on_progress(WRITING + (1 - WRITING) * number / total))
    counts = format.count(stored)
    if counts != result.counts:
        raise ExportError(
            f"The export holds {in_words(counts)}, not {in_words(result.counts)}: "
            "nothing was kept; try again."
        )


def _check_law(frozen: Counts, passed: Counts, left_out: Counter[str]) -> None:
    """Compare what was passed on and left out with what was frozen: nothing is lost in silence."""
    for kind in ("pictures", "captions", "boxes"):
        expected = frozen["images" if kind == "pictures" else kind]
        lost = sum(n for reason, n in left_out.items() if reason.startswith(f"{kind}: "))
        if passed[kind] + lost != expected:
            raise ExportError(
                f"The snapshot has {expected:,} {kind}, and {passed[kind]:,} were written and "
                f"{lost:,} left out: freeze a new snapshot."
            )


def _check_suffix(format: Format, options: Options) -> None:
    chosen = {"jpeg": ".jpg"}.get(options.image_format, f".{options.image_format}")
    if format.suffixes and options.image_format != "keep" and chosen not in format.suffixes:
        known = ", ".join(format.suffixes)
        raise ExportError(f"Readers of {format.name} know {known} alone: choose another format.")


def in_words(counts: Counts) -> str:
    """Return "12 pictures, 1 caption": what there is any of."""
    some = [kind for kind in KINDS if counts.get(kind)] or sorted(counts)[:1]
    words = (f"{counts[kind]:,} {_singular(kind, counts[kind])}" for kind in some)
    return ", ".join(words).replace("_", " ")


def _singular(kind: str, count: int) -> str:
    if count != 1:
        return kind
    return "box" if kind == "boxes" else kind.removesuffix("s")


def file_names(folder: Path) -> Iterator[str]:
    """Yield the names of a snapshot's pictures."""
    for split in SPLITS:
        for row in snapshot_folder.read_rows(folder, split):
            yield row["file_name"]
