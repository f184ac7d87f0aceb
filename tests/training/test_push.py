"""`push`: a model goes to a hub by its number."""

import io
from pathlib import Path

import pytest
from django.core.management import CommandError, call_command

from labeling import stored_folders
from labeling.models import Snapshot
from tests.training.studio import make_model


def push(*arguments: str) -> str:
    out = io.StringIO()
    call_command("push", *arguments, stdout=out)
    return out.getvalue()


@pytest.mark.usefixtures("stand_in")
def test_any_model_is_pushed_by_its_number_or_its_folder(
    snapshot: Snapshot, tmp_path: Path
) -> None:
    model = make_model(snapshot, recipe="clip")
    stored = stored_folders.fetch(model.folder)
    assert push(str(model.pk), "ada/birds") == f"pushed {stored} ada/birds\n"
    folder = tmp_path / "carried"
    folder.mkdir()
    (folder / "config.json").write_text("{}")
    flags = ["--public", "--with-neighbours"]
    expected = f"pushed {folder.resolve()} ada/birds {' '.join(flags)}\n"
    assert push(str(folder), "ada/birds", *flags) == expected


@pytest.mark.django_db
def test_a_model_that_is_not_there_is_named() -> None:
    with pytest.raises(CommandError, match="no model '77'"):
        push("77", "ada/birds")
