"""The card of a data set, from facts alone: a `README.md` as Hugging Face's hub and tools read it.

Its front matter states the features of the rows, so that `datasets` gives the columns of every
snapshot the same types, whatever its rows hold. What is said of the project stands in a snapshot's
manifest (`about`), so that an export has the same card without the database.
"""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from labeling import agreement, label_accuracy, provenance, snapshot_folder
from labeling.models import Project
from labeling.numbers import count
from labeling.snapshot_folder import CARD, SPLITS, Row

# The types of a row's columns; the hub writes them so in `dataset_info`. A list of features is one
# of objects.
_TEXT, _NUMBER, _COUNT, _FLAG = "string", "float64", "int64", "bool"
_ORIGIN = {
    name: _COUNT if isinstance(value, int) else _TEXT
    for name, value in provenance.NOWHERE.as_row().items()
}
FEATURES: dict[str, Any] = {
    "text": _TEXT,
    "tags": [_TEXT],
    "concepts": [{"name": _TEXT, "probability": _NUMBER, "answers": _COUNT}],
    "in_part": [_TEXT],
    "captions": [{"text": _TEXT, "confidence": _NUMBER, "source": _TEXT, "provenance": _COUNT}],
    "n_answers": _COUNT,
    "license": _TEXT,
    "source": _TEXT,
    "generated": _FLAG,
    "prompt": _TEXT,
    "width": _COUNT,
    "height": _COUNT,
    "provenance": [_ORIGIN],
    "boxes": [
        {
            **dict.fromkeys(("left", "top", "width", "height"), _COUNT),
            **{"label": _TEXT, "probability": _NUMBER, "answers": _COUNT, "provenance": _COUNT},
        }
    ],
    "pair": _NUMBER,
    "shows_prompt": _NUMBER,
    "fits_prompt": _NUMBER,
}
SIZES = (  # the hub's categories: up to how many rows each goes
    (1_000, "n<1K"),
    (10_000, "1K<n<10K"),
    (100_000, "10K<n<100K"),
    (1_000_000, "100K<n<1M"),
    (10_000_000, "1M<n<10M"),
)
LICENSES = (  # the hub's identifiers that pictures' licences are looked up among
    "apache-2.0",
    "cc-by-2.0",
    "cc-by-3.0",
    "cc-by-4.0",
    "cc-by-nc-4.0",
    "cc-by-nc-nd-4.0",
    "cc-by-nc-sa-4.0",
    "cc-by-nd-4.0",
    "cc-by-sa-3.0",
    "cc-by-sa-4.0",
    "cc0-1.0",
    "mit",
    "odbl",
    "pddl",
)
SOURCES = {
    "import": "came with imports",
    "annotator": "were written by people",
    "model": "are prompts that models drew from",
}
LISTED = 30  # licences and concepts, at most, that are listed one by one


@dataclass(frozen=True)
class Layout:
    """How the rows of a data set are laid out, as a card says it."""

    features: Mapping[str, Any]  # the types of its columns, as readers find them
    columns: str  # what each of them holds: Markdown
    paths: str  # of the files of a split, with {split} for its name
    notes: str = ""  # what else there is to say of all of it


@dataclass
class Facts:
    """What the rows of a snapshot add up to; a row is held no longer than it is added."""

    splits: Counter[str] = field(default_factory=Counter)
    licenses: Counter[str] = field(default_factory=Counter)  # of pictures
    captions: Counter[str] = field(default_factory=Counter)  # by who wrote them
    text_licenses: Counter[str] = field(default_factory=Counter)  # of imported captions
    origins: Counter[str] = field(default_factory=Counter)  # captions by import and vendor
    labels: dict[str, dict[str, Counter[str]]] = field(default_factory=dict)  # split, concept
    asked: Counter[str] = field(default_factory=Counter)  # pictures answered about, by concept
    described: int = 0  # pictures with a caption
    tagged: int = 0
    boxed: int = 0  # pictures with a box
    boxes: int = 0
    answered: int = 0  # pictures that somebody answered about
    answers: int = 0
    generated: int = 0

    def add(self, split: str, row: Row) -> None:
        """Count one row."""
        self.splits[split] += 1
        self.licenses[row["license"]] += 1
        self.captions.update(caption["source"] for caption in row["captions"])
        for caption in row["captions"]:
            self._add_origin(row["provenance"], caption["provenance"])
        self.described += bool(row["captions"])
        self.tagged += bool(row["tags"])
        self.boxed += bool(row["boxes"])
        self.boxes += len(row["boxes"])
        self.answered += row["n_answers"] > 0
        self.answers += row["n_answers"]
        self.generated += row["generated"]
        counts = self.labels.setdefault(split, {})
        for name, (label, _) in snapshot_folder.labels(row).items():
            counts.setdefault(name, Counter())[label] += 1
        self.asked.update(each["name"] for each in row["concepts"] if each["answers"])

    def _add_origin(self, origins: list[dict[str, Any]], place: int) -> None:
        """Count where a caption comes from; one that was written here has no place."""
        if 0 <= place < len(origins):
            origin = origins[place]
            names = (origin["import"], origin["vendor"], origin["batch"])
            self.origins[", ".join(filter(None, names))] += 1
            self.text_licenses[origin["license"]] += 1

    @property
    def pictures(self) -> int:
        """How many there are."""
        return self.splits.total()

    @property
    def concepts(self) -> dict[str, Counter[str]]:
        """How many pictures have each label, by concept."""
        concepts: dict[str, Counter[str]] = {}
        for counts in self.labels.values():
            for name, labels in counts.items():
                concepts.setdefault(name, Counter()).update(labels)
        return concepts


def about(project: Project) -> dict[str, Any]:
    """Return what a card says of a project beside its rows, for the manifest of a snapshot."""
    measured = agreement.measure(project=project).whole
    return {
        "name": project.name,
        "description": project.description,
        "attribution": project.attribution,
        "language": project.language,
        "agreement": {name: getattr(measured, name) for name in _AGREEMENT},
    }


_AGREEMENT = "compared", "percent", "alpha", "low", "high"


def write(folder: Path, manifest: Mapping[str, Any], facts: Facts) -> str:
    """Write the card of a snapshot into its folder; return the SHA-256 of the file."""
    data = render(manifest, facts).encode()
    (folder / CARD).write_bytes(data)
    return snapshot_folder.digest(data)


def render(manifest: Mapping[str, Any], facts: Facts, layout: Layout | None = None) -> str:
    """Return the card of a data set: YAML front matter, then Markdown.

    manifest: a snapshot's; of it `about`, `made_from` and `accuracy` are read. layout: that of an
    export.
    """
    laid_out, subject = layout or SNAPSHOT, manifest["about"]
    sections = [
        f"# {plain(subject['name'])}",
        plain(subject["description"]),
        _contents(facts),
        laid_out.columns,
        laid_out.notes,
        _making(facts, manifest["made_from"]),
        _accuracy(manifest["accuracy"]) if "accuracy" in manifest else "",
        _agreement(subject["agreement"]),
        _limits(facts),
        _provenance(subject["attribution"], facts),
    ]
    front = yaml.safe_dump(_front(subject, facts, laid_out), sort_keys=False, allow_unicode=True)
    return f"---\n{front}---\n\n" + "\n\n".join(each for each in sections if each) + "\n"


def license_id(licenses: Mapping[str, int]) -> str:
    """Return the hub's identifier of a data set's licence, by how many pictures have each."""
    ids = {_license_id(name) for name in licenses}
    return ids.pop() if len(ids) == 1 else "other"


def size_category(pictures: int) -> str:
    """Return the hub's category of so many rows."""
    return next((name for limit, name in SIZES if pictures < limit), "10M<n<100M")


def _front(about: Mapping[str, Any], facts: Facts, layout: Layout) -> dict[str, Any]:
    license = license_id(facts.licenses + facts.text_licenses)
    tasks = ["text-to-image", "image-to-text"] if facts.described else []
    tasks += ["image-classification"] if facts.concepts else []
    tasks += ["object-detection"] if facts.boxes else []
    splits = [split for split in SPLITS if facts.splits[split]]
    return {
        "pretty_name": _one_line(about["name"]),
        "language": [about["language"].split("-")[0].lower()],
        "license": license,
        **({"license_name": "as-stated-by-picture"} if license == "other" else {}),
        "size_categories": [size_category(facts.pictures)],
        "task_categories": tasks,
        "tags": ["crowdsourced", "tessera", *(["synthetic"] if facts.generated else [])],
        "configs": [
            {
                "config_name": "default",
                "data_files": [
                    {"split": split, "path": layout.paths.format(split=split)} for split in splits
                ],
            }
        ],
        "dataset_info": {
            "features": _features(layout.features),
        },
    }


def _features(types: Mapping[str, Any]) -> list[dict[str, Any]]:
    return [{"name": name, **_feature(kind)} for name, kind in types.items()]


def _feature(kind: Any) -> dict[str, Any]:
    if isinstance(kind, Mapping):
        return {"struct": _features(kind)}
    if isinstance(kind, list):
        (item,) = kind
        if isinstance(item, list):
            return {"list": _feature(item)}
        return {"list": _features(item) if isinstance(item, Mapping) else item}
    return {"dtype": kind}


def _contents(facts: Facts) -> str:
    splits = " and ".join(f"{facts.splits[s]:,} to {_USES[s]}" for s in SPLITS if facts.splits[s])
    lines = [
        f"{count(facts.pictures, 'picture')}: {splits}. "
        f"{facts.described:,} have a caption ({facts.captions.total():,} captions in all), "
        f"{facts.tagged:,} have tags."
        + (f" {facts.boxed:,} have boxes ({facts.boxes:,} in all)." if facts.boxes else ""),
        "Which split a picture is in depends on its content alone, and near-duplicates are "
        "in the same one.",
    ]
    if facts.generated:
        lines.append(f"{facts.generated:,} of them were generated by a model (`generated`).")
    return "\n".join(lines)


_USES = {"train": "train on", "test": "test"}


_COLUMNS = """\
Columns: `text` (the best caption), `tags`, `concepts` (for each concept the probability \
that the picture shows it, and how many answers people gave about that), `in_part` (the concepts \
that people saw in parts of it alone), `captions` (the best first, each with its confidence and \
where it comes from), `n_answers`, `license`, `source` (where the picture was imported from), \
`generated`, `prompt` (what a model generated it from), `width`, `height`, `provenance` (where the \
picture and its texts come from; `provenance` of a caption is its place in it, -1 for one written \
here), \
`boxes` (rectangles that imports drew, in pixels, with what each shows, the probability of that, \
and how many answers people gave; one that shows two things is listed twice), `pair` (how surely \
its left and right half belong together; 0: it is one picture).

So that loaders without this card find the same types in all splits, the first row of a split may \
hold placeholders: a caption, concept or box without text, or an empty tag. Leave those out."""
SNAPSHOT = Layout(features={"image": "image", **FEATURES}, columns=_COLUMNS, paths="{split}/**")


def _making(facts: Facts, made_from: Mapping[str, Any]) -> str:
    answers, captions = made_from["answers"], made_from["captions"]
    settings = made_from["settings"]
    until = f", the newest at {answers['until']}" if answers["until"] else ""
    return "\n".join(
        [
            "## How the labels were made",
            "",
            "People were shown pictures and answered whether a text is true of them. All that was "
            "said of a picture, by people, by imports and by a model, is combined into one "
            "probability; people weigh as much as they are reliable.",
            "",
            f"- Answers: {answers['count']:,}{until}. People wrote "
            f"{count(captions['count'], 'caption')}.",
            f"- {facts.answered:,} of {facts.pictures:,} pictures were answered about.",
            f"- A question settles at a probability of {settings['settle_at']:g} on "
            f"{count(settings['answers_min'], 'answer')} or more, and is given up as ambiguous "
            f"after {settings['answers_cap']:,}.",
            f"- What imports say is believed at {settings['import_confidence']:g} before anybody "
            "answered, and captions as their sources have proved right since.",
            f"- Aggregation: version {made_from['aggregation']['version']}"
            + (", with a model's predictions." if made_from["aggregation"]["features"] else "."),
        ]
    )


def _accuracy(measured: Mapping[str, Any]) -> str:
    """Return how often the labels of the snapshot are right, in all and by concept."""
    lines = [
        "## How often labels are right",
        "",
        "Measured when the labels were frozen, of all in the snapshot. Gold, what a reviewer "
        "decided, and pictures that are asked about in parts are left out.",
        "",
        *(f"- {each}" for each in label_accuracy.sentences(measured)),
    ]
    rows = [row for row in measured["concepts"] if row["low"] is not None]
    if rows:
        lines += ["", "| concept | labels | right | 95 % interval | judged by |"]
        lines += ["|---|---:|---:|---:|---:|"]
    for row in rows[:LISTED]:
        accuracy, low, high = (f"{100 * row[name]:.1f}" for name in ("accuracy", "low", "high"))
        judges = count(row["judged"], "gold question" if row["by"] == "gold" else "answer")
        lines.append(
            f"| {plain(row['name'])} | {row['covered']:,} | {accuracy} % | {low} to {high} "
            f"| {judges} |"
        )
    more = len(rows) - LISTED
    lines += ["", f"And {count(more, 'concept')} more in `manifest.json`."] * (more > 0)
    return "\n".join(lines)


def _agreement(measured: Mapping[str, Any]) -> str:
    """Return what is known of agreement: the figures named in `_AGREEMENT`."""
    lines = ["## Agreement", ""]
    compared, percent, alpha, low, high = (measured[name] for name in _AGREEMENT)
    if percent is None:
        lines.append("No two people answered the same question: agreement is not known.")
        return "\n".join(lines)
    words = "not defined" if alpha is None else f"{alpha:.2f}"
    if low is not None and high is not None:
        words += f" (95 % interval {low:.2f} to {high:.2f})"
    lines.append(
        f"On {count(compared, 'question')} that two or more people answered, "
        f"{percent:.0%} of all pairs of answers agree; Krippendorff's alpha is {words}."
    )
    return "\n".join(lines)


def _limits(facts: Facts) -> str:
    pairs = sum(labels.total() for labels in facts.concepts.values())
    answered = facts.asked.total()
    lines = ["## Known limits", ""]
    if pairs:
        lines.append(
            f"- Of {pairs:,} pairs of a picture and a concept, people answered about {answered:,}. "
            "All others are believed by what an import said, a model, or how frequent the concept "
            "is: look at `answers` before you take one for a label."
        )
    silent = facts.pictures - facts.described
    lines += [f"- {silent:,} pictures have no caption."] * bool(silent)
    unstated = facts.licenses[""]
    lines += [f"- Of {unstated:,} pictures the licence was not stated."] * bool(unstated)
    lines.append("- A caption is kept from a probability of one half; `confidence` says it.")
    if facts.concepts:
        lines += ["", "| concept | yes | in part | no | answered about |"]
        lines += ["|---|---:|---:|---:|---:|"]
        for name, labels in sorted(facts.concepts.items())[:LISTED]:
            counts = " | ".join(f"{labels[label]:,}" for label in ("yes", "in part", "no"))
            lines.append(f"| {plain(name)} | {counts} | {facts.asked[name]:,} |")
        more = len(facts.concepts) - LISTED
        lines += ["", f"And {count(more, 'concept')} more."] * (more > 0)
    return "\n".join(lines)


def _provenance(attribution: str, facts: Facts) -> str:
    lines = ["## Where it comes from", ""]
    lines += [plain(attribution), ""] * bool(attribution)
    lines += _counted("licence of the pictures", facts.licenses, "not stated")
    if facts.captions:
        lines += ["", "| captions | |", "|---|---:|"]
        for source, captions in facts.captions.most_common():
            lines.append(f"| {SOURCES.get(source, plain(source))} | {captions:,} |")
    lines += _counted("imported captions by licence", facts.text_licenses, "not stated")
    lines += _counted("imported captions by where they come from", facts.origins, "not stated")
    return "\n".join(lines)


def _counted(title: str, counts: Counter[str], empty: str) -> list[str]:
    """Return the lines of a table of counts, the largest first; none without any."""
    rows = counts.most_common(LISTED)
    lines = ["", f"| {title} | |", "|---|---:|"] * bool(rows)
    lines += [f"| {plain(name) or empty} | {number:,} |" for name, number in rows]
    if len(counts) > LISTED:
        rest = counts.total() - sum(number for _, number in rows)
        lines.append(f"| {len(counts) - LISTED:,} others | {rest:,} |")
    return lines


def _license_id(name: str) -> str:
    """Return the hub's identifier of a licence as a person wrote it, such as "CC BY-SA 4.0"."""
    if not name.strip():
        return "unknown"
    key = "-".join(name.lower().replace("-", " ").split())
    return key if key in LICENSES else "other"


def _one_line(text: str) -> str:
    return " ".join(text.split())


def plain(text: str) -> str:
    """Return a text as Markdown that says just this, in one line."""
    line = "".join(
        f"\\{letter}" if letter in r"\`*_[]<>|#~&$" else letter for letter in _one_line(text)
    )
    return f"\\{line}" if line.startswith(("-", "+", "=")) else line
