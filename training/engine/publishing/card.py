"""A model's card, from facts alone: a ``README.md`` with the front matter of Hugging Face's hub.

What it says was read from the model's and the snapshot's own files and from ``metrics.json``; what
nobody measured or stated is left out. It names no prompt and no path.
"""

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import yaml

from training.engine import progress
from training.engine.data.json_lines import numbered_lines
from training.engine.data.rows import Snapshot
from training.engine.evaluation.near_copies import NEAR_COPY
from training.engine.files import write_bytes
from training.engine.learnt import learnt_from_drawings
from training.engine.metric_names import BESIDE, NOT_MERIT, figure, interval, is_beside, words

CARD = "README.md"
LIBRARY = "tessera"
LICENSES_MAX = 20  # that are listed one by one
ESCAPED = r"\`*_[]<>|#"


class Use(NamedTuple):
    """What a model is for."""

    task: str  # as the hub names it
    does: str  # completes "a model that …"
    command: str  # of `python -m training`


SAMPLES = Use(
    "text-to-image",
    "draws pictures from texts",
    "sample FOLDER --prompts prompts.txt --out pictures",
)
USES = {  # of recipes whose models do something else
    "clip": Use(
        "zero-shot-image-classification",
        "tells which text fits a picture",
        "evaluate FOLDER SNAPSHOT",
    ),
    "pairs": Use(
        "image-to-image",
        "draws the other half of a picture",
        "translate FOLDER --images PICTURES --out DRAWN",
    ),
}


@dataclass(frozen=True)
class Facts:
    """What a card is made of."""

    config: Mapping[str, Any]  # the model's config.json
    metrics: Mapping[str, float]
    manifest: Mapping[str, Any]  # the snapshot's; empty of a plain folder
    snapshot: Snapshot
    licenses: Counter[str]  # of the pictures to learn from; "" is none stated

    @property
    def recipe(self) -> str:
        return str(self.config["recipe"])

    @property
    def use(self) -> Use:
        return USES.get(self.recipe, SAMPLES)

    @property
    def nouns(self) -> str:
        """What its examples are called."""
        return "pairs" if self.recipe == "pairs" else "pictures"

    @property
    def draws(self) -> bool:
        """Whether it is a model that draws."""
        return self.recipe != "clip"


def write_card(model: Path, metrics: Mapping[str, Any], snapshot: Snapshot) -> Path:
    """Write the card of a model folder that was trained on a snapshot; return its path."""
    path = model / CARD
    write_bytes(path, render(_gather(model, metrics, snapshot)).encode())
    return path


def render(facts: Facts) -> str:
    """Return the card: YAML front matter, then Markdown."""
    front = yaml.safe_dump(_front(facts), sort_keys=False, allow_unicode=True)
    parts = [_heading(facts), _origin(facts), _data(facts), _worth(facts), _limits(facts)]
    parts += [_use(facts), _settings(facts)]
    return f"---\n{front}---\n\n" + "\n\n".join(part for part in parts if part) + "\n"


def plain(text: object) -> str:
    """Return a text as Markdown that says just this, in one line."""
    line = " ".join(str(text).split())
    return "".join(f"\\{letter}" if letter in ESCAPED else letter for letter in line)


def _gather(model: Path, metrics: Mapping[str, Any], snapshot: Snapshot) -> Facts:
    manifest = progress.read_json(snapshot.folder / "manifest.json")
    return Facts(
        config=progress.read_json(model / "config.json") or {},
        metrics={
            k: v for k, v in progress.finite(dict(metrics)).items() if type(v) in (int, float)
        },
        manifest=manifest if isinstance(manifest, dict) else {},
        snapshot=snapshot,
        licenses=_licenses(snapshot),
    )


def _licenses(snapshot: Snapshot) -> Counter[str]:
    """Return the licences of the pictures to learn from, but for those that models drew."""
    licenses: Counter[str] = Counter()
    path = snapshot.folder / "train" / "metadata.jsonl"
    learnt = {row.path.name for row in snapshot.train}
    if path.is_file():
        for _, line in numbered_lines(path):
            row = json.loads(line)
            is_learnt = Path(str(row.get("file_name"))).name in learnt
            if is_learnt and row.get("generated") is not True:
                license = row.get("license")
                licenses[license if isinstance(license, str) else ""] += 1
    return licenses


def _about(facts: Facts) -> Mapping[str, Any]:
    about = facts.manifest.get("about")
    return about if isinstance(about, dict) else {}


def _front(facts: Facts) -> dict[str, Any]:
    front: dict[str, Any] = {
        "library_name": LIBRARY,
        "pipeline_tag": facts.use.task,
        "tags": [LIBRARY, facts.recipe],
    }
    if isinstance(language := _about(facts).get("language"), str) and language:
        front["language"] = [language.partition("-")[0]]
    if base := _base(facts):
        front["base_model"] = base
    if results := _results(facts):
        dataset = {"name": _subject(facts), "type": LIBRARY}
        task = {"type": front["pipeline_tag"]}
        result = {"task": task, "dataset": dataset, "metrics": results}
        name = f"{facts.recipe}-{facts.config.get('preset', '')}"
        front["model-index"] = [{"name": name, "results": [result]}]
    return front


def _base(facts: Facts) -> str:
    """Return the hub's id of the model that a LoRA is of; empty where it is a folder."""
    network = facts.config.get("network")
    base = network.get("base") if isinstance(network, dict) else None
    return base if isinstance(base, str) and not base.startswith("/") else ""


def _names(facts: Facts) -> list[str]:
    """Return the metrics that stand for themselves."""
    every = facts.metrics
    return [name for name in every if not is_beside(name, every) and name not in NOT_MERIT]


def _results(facts: Facts) -> list[dict[str, Any]]:
    return [
        {"type": name, "value": round(facts.metrics[name], 4), "name": words(name)}
        for name in _names(facts)
    ]


def _subject(facts: Facts) -> str:
    """Return the name of the data: the project's, else the folder's."""
    return str(_about(facts).get("name") or facts.snapshot.folder.name)


def _heading(facts: Facts) -> str:
    recipe, size = facts.recipe, _size(facts)
    of = f", at {size} × {size} pixels" if size else ""
    return (
        f"# {plain(_subject(facts))}: {plain(recipe)}\n\n"
        f"A model of the recipe `{recipe}` that {facts.use.does}{of}, trained with Tessera on the "
        f"labels of the data set “{plain(_subject(facts))}”."
    )


def _size(facts: Facts) -> int:
    network = facts.config.get("network")
    size = network.get("size") if isinstance(network, dict) else None
    return size if isinstance(size, int) else 0


def _origin(facts: Facts) -> str:
    config = facts.config
    clip = config["clip"] if isinstance(config.get("clip"), dict) else {}
    named = (str(clip.get(key) or "") for key in ("kind", "identity"))
    values = {
        "Recipe and preset": f"{facts.recipe}, {config.get('preset', '')}",
        "Steps": _count(config.get("steps")),
        "Seconds of training": facts.metrics.get("training_seconds"),
        "Seed": config.get("seed"),
        "Texts are read by": ", ".join(filter(None, named)),
        "Made from": _base(facts),
        "Snapshot (SHA-256)": config.get("snapshot_sha256"),
        "What was read of the data (SHA-256)": config.get("data_sha256"),
        "Code": config.get("code"),
        "Machine": config.get("machine"),
    }
    return _section("How it was made", _table(("", ""), _rows(values)))


def _data(facts: Facts) -> str:
    snapshot, about = facts.snapshot, _about(facts)
    described = sum(bool(row.captions) for row in snapshot.train)
    nouns = facts.nouns
    values = {
        f"{nouns.capitalize()} to learn from": _count(len(snapshot.train)),
        "… with captions": _count(described),
        f"{nouns.capitalize()} held out, for the judges": _count(len(snapshot.test)),
        "Concepts": _count(len(snapshot.concepts)),
        "People’s verdicts on drawings": learnt_from_drawings(facts.config),
        "Attribution": about.get("attribution"),
    }
    parts = [_table(("", ""), _rows(values)), _license_table(facts)]
    return _section("What it was trained on", "\n\n".join(filter(None, parts)))


def _license_table(facts: Facts) -> str:
    licenses = facts.licenses
    if not licenses:
        return f"No licence is stated: the data is a folder of {facts.nouns}."
    most = licenses.most_common(LICENSES_MAX)
    rows = [(plain(name) or "none is stated", _count(number)) for name, number in most]
    if rest := licenses.total() - sum(number for _, number in most):
        rows.append(("others", _count(rest)))
    return _table((f"Licence of {facts.nouns}", facts.nouns.capitalize()), rows)


def _worth(facts: Facts) -> str:
    rows = [_metric_row(name, facts.metrics) for name in _names(facts)]
    if not rows:
        return ""
    head = ("Figure", "", "Value", "5 % to 95 %", "Chance", "Real pictures")
    note = (
        "A figure is named `what@judge`, by the model whose features judged. Its interval runs "
        "from the 5th to the 95th percentile. “Real pictures” is what pictures reach that no model "
        "drew."
    )
    return _section("What it is worth", f"{note}\n\n{_table(head, rows)}")


def _metric_row(name: str, metrics: Mapping[str, float]) -> Sequence[str]:
    beside = {end: metrics.get(f"{name}_{end}") for end in BESIDE}
    real = next((beside[end] for end in ("real", "floor") if beside[end] is not None), None)
    return (
        f"`{name}`",
        plain(words(name)),
        figure(name, metrics[name]),
        interval(name, beside["low"], beside["high"]),
        "" if beside["chance"] is None else figure(name, beside["chance"]),
        "" if real is None else figure(name, real),
    )


def _limits(facts: Facts) -> str:
    lines = []
    if (copies := facts.metrics.get("near_copies")) is not None:
        lines.append(
            f"{figure('near_copies', copies)} of its pictures in the evaluation nearly copy one "
            f"that it learnt from: they are nearer to it than {NEAR_COPY:g} of the usual distance "
            "between two pictures of the data."
        )
    base = f", going out from `{_base(facts)}`" if _base(facts) else ""
    lines.append(f"It was fitted to {_count(len(facts.snapshot.train))} {facts.nouns}{base}.")
    if facts.draws:
        lines.append(
            "Its pictures say in their files that a model drew them. The mark can be stripped."
        )
        lines.append("`neighbours.safetensors`, where it is here, holds small copies of the data.")
    if facts.config.get("preset") == "smoke":
        lines.append("Its preset only shows that everything works.")
    return _section("Limits", "\n".join(f"- {line}" for line in lines))


def _use(facts: Facts) -> str:
    return _section("Use", f"```sh\npython -m training {facts.use.command}\n```")


def _settings(facts: Facts) -> str:
    network = facts.config.get("network")
    if not isinstance(network, dict):
        return ""
    hidden = ("prompts", "base")
    values = {k: v for k, v in network.items() if k not in hidden}
    return _section("Settings", f"```json\n{json.dumps(values, indent=1, ensure_ascii=False)}\n```")


def _section(title: str, body: str) -> str:
    return f"## {title}\n\n{body}"


def _rows(values: Mapping[str, Any]) -> list[Sequence[str]]:
    return [(name, plain(value)) for name, value in values.items() if value not in (None, "")]


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _count(number: object) -> str:
    return f"{number:,}" if isinstance(number, int) and number else ""
