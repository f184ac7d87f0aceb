"""Gold in a source: a `gold` field of its metadata, and folders such as `gold/not bird`.

A field is {"bird": true, "owl": false}, or ["bird", "-owl"]. A folder directly below one that is
named `gold` says of its pictures that they show what it is named after, or with "not" or "no"
before it, that they do not: such folders are no classes.
"""

import re
from collections.abc import Mapping, Sequence
from pathlib import PurePosixPath
from typing import NamedTuple

from labeling import gold
from labeling.images import StoredImage
from labeling.imports.entries import Kind
from labeling.imports.metadata import Metadata
from labeling.imports.paths import folder_of
from labeling.models import Concept, GoldMark, Import
from labeling.models.projects import name_key
from labeling.restating import Pair

FOLDER = "gold"
NEGATED = re.compile(r"(?:not|no)\s+(?P<name>\S.*)", re.IGNORECASE)


class StatedGold(NamedTuple):
    """What a source says of a picture and a concept as gold."""

    name: str
    truth: bool


def of_folder(folder: str, known: Mapping[str, Concept] | None = None) -> StatedGold | None:
    """Return what a folder's path says of its pictures; None where it is no gold folder.

    known: concepts by their keys: a name with "no" in it that is one's own is not negated.
    """
    parts = PurePosixPath(folder).parts
    if len(parts) < 2 or name_key(parts[-2]) != FOLDER:
        return None
    text = " ".join(parts[-1].replace("_", " ").split())
    negated = NEGATED.fullmatch(text)
    if negated is None or name_key(text) in (known or {}):
        return StatedGold(text, True)
    return StatedGold(negated["name"], False)


def shown(path: str, metadata: Metadata) -> list[str]:
    """Return the names of what a picture shows by its gold."""
    of_own_folder = of_folder(folder_of(path))
    stated = [*metadata.gold.items(), *([of_own_folder] if of_own_folder else [])]
    return [name for name, truth in stated if truth]


def attach(
    *,
    record: Import,
    stored: Sequence[tuple[str, StoredImage]],
    metadata: Mapping[str, Metadata],
    concepts: Mapping[str, Concept],
) -> list[tuple[str, str]]:
    """Make the pairs gold of which the source says so; note in the metadata what is refused.

    stored: (path, image) of a batch. concepts: the project's, by their keys. Names that name no
    concept are refused, and so is what contradicts itself, people's gold or a decision; what
    earlier imports said is put right. Return the path and the text of each that was.
    """
    values: dict[Pair, bool] = {}
    paths: dict[Pair, list[str]] = {}
    for path, image in stored:
        for stated in _stated(path, metadata[path], concepts):
            concept = concepts.get(name_key(stated.name))
            if concept is None:
                reason = f"its gold names “{stated.name}”, which is no concept"
                metadata[path].refuse(Kind.GOLD, reason)
                continue
            pair = image.tile.pk, concept.pk
            if values.setdefault(pair, stated.truth) is not stated.truth:
                reason = f"its gold of “{concept}” is both yes and no"
                metadata[path].refuse(Kind.GOLD, reason)
            else:
                paths.setdefault(pair, []).append(path)
    outcome = gold.mark_pairs(
        project=record.project,
        values=values,
        by=None,
        origin=GoldMark.Origin.IMPORT,
        imported_by=record,
        record=False,
    )
    for pair, reason in outcome.refused.items():
        for path in paths.get(pair, ()):
            metadata[path].refuse(Kind.GOLD, f"its gold cannot be: {reason}")
    names = {concept.pk: concept.name for concept in concepts.values()}
    return [
        (path, f"{names[pair[1]]}: {'no' if values[pair] else 'yes'}")
        for pair in sorted(outcome.corrected & values.keys())
        for path in paths[pair]
    ]


def _stated(path: str, metadata: Metadata, concepts: Mapping[str, Concept]) -> list[StatedGold]:
    of_own_folder = of_folder(folder_of(path), concepts)
    stated = [StatedGold(name, truth) for name, truth in metadata.gold.items()]
    return [*stated, of_own_folder] if of_own_folder else stated
