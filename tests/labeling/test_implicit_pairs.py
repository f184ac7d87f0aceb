"""What is read of a project does not depend on which pairs happened to be stored."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from django.db import transaction
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from pyarrow import parquet

from labeling import beliefs, exports, snapshot_folder, snapshot_rows, snapshots
from labeling.beliefs import Beliefs
from labeling.concepts import edit
from labeling.inference import recompute
from labeling.models import Project, Question
from labeling.snapshots import local_folder
from tests.labeling.garden import probabilities
from tests.labeling.meadows import Meadow, Pair, forget, meadows, plant

pytestmark = pytest.mark.django_db
repeatable = settings(
    derandomize=True,
    database=None,
    deadline=None,
    max_examples=6,
    phases=[Phase.explicit, Phase.generate],  # shrinking a failure takes minutes
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)


class _Undo(Exception):
    """Rolls a project back."""


def read(meadow: Meadow, look: Callable[[Project], Any], **stored: set[Pair]) -> Any:
    """Plant the meadow with these pairs stored besides, look at it, and undo all of it."""
    seen = None
    try:
        with transaction.atomic():
            project = plant(meadow, **stored)
            seen = look(project)
            forget(project)
            raise _Undo
    except _Undo:
        return seen


def snapshot(project: Project) -> list[tuple[str, dict]]:
    concepts = snapshot_rows.concepts_of(project)
    built = snapshot_rows.build(project=project, concepts=concepts, include_generated=True)
    return [(each.split, each.row) for each in built]


def snapshots_before_and_after_a_recomputation(
    project: Project,
) -> tuple[list[tuple[str, dict]], list[tuple[str, dict]]]:
    before = snapshot(project)
    recompute.run(project=project)
    return before, snapshot(project)


@pytest.fixture(autouse=True)
def folders(settings, tmp_path) -> None:
    settings.MEDIA_ROOT = tmp_path / "media"
    settings.CACHE_ROOT = tmp_path / "cache"


@repeatable
@given(data=st.data(), meadow=meadows())
def test_snapshots_hold_the_same_whichever_pairs_were_stored(meadow, data):
    look = snapshots_before_and_after_a_recomputation
    some = st.sets(st.sampled_from(meadow.pairs))
    bare = read(meadow, look, before=set(), after=set())
    assert bare == read(meadow, look, before=data.draw(some), after=data.draw(some))
    assert bare == read(meadow, look, before=set(meadow.pairs), after=set())


@repeatable
@given(meadow=meadows())
def test_a_pair_that_nobody_answered_about_is_believed_as_its_priors_say(meadow):
    """So that the pages and the pools, which read the questions, say what snapshots say."""

    def unanswered(project: Project) -> list[tuple[float, float]]:
        recompute.run(project=project)
        rows = {row["source"]: row for _, row in snapshot(project)}
        asked = Question.objects.filter(
            answers_count=0, verdict=None, grid=1, tile__image__cut_into=0
        )
        return [
            (probabilities(rows[q.tile.image.source])[q.concept.name], q.probability)
            for q in asked.select_related("tile__image", "concept")
        ]

    for shown, stored in read(meadow, unanswered, before=set(meadow.pairs), after=set()):
        assert shown == pytest.approx(stored, abs=1e-4)


@repeatable
@given(meadow=meadows())
def test_an_alias_that_is_removed_leaves_nothing_behind_in_stored_pairs(meadow):
    def stated_and_believed(project: Project) -> list[tuple[float, float]]:
        cat = edit(concept=project.concepts.get(name="cat"), aliases=[])
        asked = cat.questions.filter(tile__image__generated=False).order_by("tile")
        facts = beliefs.facts(asked.values_list("tile", flat=True))
        stated = Beliefs(project, [cat]).priors(facts).stated[:, 0]
        return list(zip([q.stated or 0.0 for q in asked], np.nan_to_num(stated), strict=True))

    for stated, believed in read(
        meadow, stated_and_believed, before=set(meadow.pairs), after=set()
    ):
        assert stated == pytest.approx(believed)


@settings(repeatable, max_examples=2)
@given(meadow=meadows())
def test_exports_hold_the_same_whichever_pairs_were_stored(meadow, tmp_path_factory):
    def content(path: Path) -> object:
        """Return what a file holds; of Parquet the rows, but for the snapshot that they name."""
        if path.suffix != ".parquet":
            return path.read_bytes()
        rows = parquet.read_table(path).to_pylist()
        return [{**row, "snapshot": None} for row in rows]

    def exported(project: Project) -> dict[str, object]:
        frozen = snapshots.freeze(project=project, include_generated=True)
        files = {}
        for name in ("imagefolder", "kohya", "labels"):
            out = tmp_path_factory.mktemp("exports") / name
            exports.export(folder=local_folder(frozen), format=name, out=out)
            files |= {
                f"{name}/{path.relative_to(out)}": content(path)
                for path in out.rglob("*")
                if path.is_file() and path.name not in {"README.md", "MANIFEST.sha256"}
            }
        manifest = snapshot_folder.read_manifest(local_folder(frozen))
        rows = {k: v for k, v in manifest["files"].items() if k != "README.md"}
        return {"snapshot": rows, **files}

    bare = read(meadow, exported, before=set(), after=set())
    assert bare == read(meadow, exported, before=set(meadow.pairs), after=set())
