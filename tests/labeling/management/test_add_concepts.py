"""Concepts are added from a file by a command."""

from io import StringIO
from pathlib import Path

import pytest
from django.core.management import CommandError, call_command

from labeling.models import Project

pytestmark = pytest.mark.django_db


def test_it_adds_what_fits_and_says_what_does_not(shapes: Project, tmp_path: Path) -> None:
    file = tmp_path / "concepts.txt"
    file.write_text("\ufeffring\ncircle\nstar: a bright star\n", encoding="utf-8")
    out, err = StringIO(), StringIO()
    call_command("add_concepts", file, project="shapes", stdout=out, stderr=err)
    assert out.getvalue() == "2 added, 1 left out\n"
    assert err.getvalue().startswith("Line 2, circle: “circle” is taken")
    assert shapes.concepts.get(name="star").phrase == "a bright star"


@pytest.mark.parametrize(
    ("name", "project", "why"),
    [
        ("missing", "shapes", "cannot be read"),
        ("bytes", "shapes", "decode"),
        ("empty", "shapes", "is empty"),
        ("empty", "nowhere", "no project"),
    ],
)
def test_it_says_why_it_cannot(
    shapes: Project, tmp_path: Path, name: str, project: str, why: str
) -> None:
    (tmp_path / "bytes").write_bytes(b"\xff\xfe\x00")
    (tmp_path / "empty").touch()
    with pytest.raises(CommandError, match=why):
        call_command("add_concepts", tmp_path / name, project=project)
