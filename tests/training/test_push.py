"""`push`: a model goes to a hub by its number."""

import io
from pathlib import Path

import pytest
from django.core.management import CommandError, call_command

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
    model = make_model(snapshot, tmp_path, recipe="clip")
    assert push(str(model.pk), "ada/birds") == f"pushed {model.folder} ada/birds\n"
    folder = Path(model.folder)
    folder.mkdir(exist_ok=True)
    (folder / "config.json").write_text("{}")
    flags = ["--public", "--with-neighbours"]
    expected = f"pushed {folder.resolve()} ada/birds {' '.join(flags)}\n"
    assert push(str(folder), "ada/birds", *flags) == expected


@pytest.mark.django_db
def test_a_model_that_is_not_there_is_named() -> None:
    with pytest.raises(CommandError, match="no model '77'"):
        push("77", "ada/birds")
