"""A grid that Alice has to answer."""

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from labeling.models import Annotator, Challenge, Project


@pytest.fixture
def grid(alice: "Annotator", shapes: "Project") -> "Challenge":
    from labeling import challenges

    return challenges.issue(annotator=alice, project=shapes, kind="grid")
