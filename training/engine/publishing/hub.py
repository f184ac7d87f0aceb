"""Push a model folder to a hub of models, with Hugging Face's own client.

Nothing goes there that could run: weights are safetensors, the rest is JSON, Markdown and pictures.
Large files that a push which failed has sent are not sent again; the repository changes at once, at
the end.
"""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from training.engine.files import TrainingError, read_json

if TYPE_CHECKING:
    from huggingface_hub import HfApi

SUFFIXES = {".safetensors", ".json", ".md", ".png", ".jpg", ".jpeg", ".webp"}
NEIGHBOURS = ("neighbours.safetensors", "neighbours.json")
TOKEN = "HF_TOKEN"
ENDPOINT = "HF_ENDPOINT"


@dataclass(frozen=True)
class Pushed:
    """What was pushed, and what was left out, by the paths in the folder."""

    url: str
    files: list[str]
    left_out: list[str]


def push(
    folder: Path, repository: str, *, public: bool = False, with_neighbours: bool = False
) -> Pushed:
    """Push a model folder to a repository of a hub, which is made where there is none.

    ``public`` makes a new one public, and allows one that is. ``with_neighbours`` also pushes small
    copies of the training pictures, by which drawings name those that they are nearest to. The
    token is that of HF_TOKEN, the hub HF_ENDPOINT's.

    Raises ``TrainingError`` where the folder holds no model, or the hub refuses or fails.
    """
    _check(folder)
    files, left_out = chosen(folder, with_neighbours=with_neighbours)
    with _in_words(repository):
        api = _client()
        url = _repository(api, repository, public=public)
        _commit(api, folder, repository, files)
    return Pushed(url, files, left_out)


def chosen(folder: Path, *, with_neighbours: bool = False) -> tuple[list[str], list[str]]:
    """Return the paths of the files that are pushed, and of those that are not."""
    files: list[str] = []
    left_out: list[str] = []
    for path in sorted(folder.rglob("*")):
        name = path.relative_to(folder).as_posix()
        if path.is_symlink() or not path.is_file():
            if path.is_symlink():
                left_out.append(name)
        elif _may_go(name, with_neighbours):
            files.append(name)
        else:
            left_out.append(name)
    return files, left_out


def _may_go(name: str, with_neighbours: bool) -> bool:
    hidden = any(part.startswith(".") for part in Path(name).parts)
    wanted = with_neighbours or name not in NEIGHBOURS
    return not hidden and wanted and Path(name).suffix.lower() in SUFFIXES


def _check(folder: Path) -> None:
    about = read_json(folder / "config.json")
    weights = list(folder.glob("*.safetensors"))
    if not isinstance(about, dict) or "recipe" not in about or not weights:
        raise TrainingError(f"{folder} is not a model folder: name the folder `model` of a run.")


def _client() -> "HfApi":
    try:
        from huggingface_hub import HfApi
    except ImportError:
        raise TrainingError(
            "Pushing needs the package huggingface_hub, which is not installed: "
            "pip install huggingface_hub"
        ) from None
    token = os.environ.get(TOKEN)
    if not token:
        raise TrainingError(f"Set {TOKEN} to a token that may write to the hub.")
    return HfApi(endpoint=os.environ.get(ENDPOINT) or None, token=token, library_name="tessera")


def _repository(api: "HfApi", repository: str, *, public: bool) -> str:
    """Return the address of a repository, after making it; refuse an unexpectedly public one."""
    from huggingface_hub.errors import RepositoryNotFoundError

    try:
        known = api.model_info(repository)
    except RepositoryNotFoundError:
        return str(api.create_repo(repository, private=not public))
    if not known.private and not public:
        raise TrainingError(
            f"{repository} is there already, and public: add --public if all may have the model."
        )
    return f"{api.endpoint}/{repository}"


def _commit(api: "HfApi", folder: Path, repository: str, files: list[str]) -> None:
    from huggingface_hub import CommitOperationAdd

    operations: list[Any] = [CommitOperationAdd(name, folder / name) for name in files]
    api.create_commit(repository, operations, commit_message="Push a model from Tessera")


@contextmanager
def _in_words(repository: str) -> Iterator[None]:
    """Turn what the hub or the network answers into a sentence."""
    from huggingface_hub.errors import HfHubHTTPError, HFValidationError, HTTPError

    try:
        yield
    except HFValidationError as error:
        raise TrainingError(f"{repository!r} is no name of a repository: {error}") from None
    except HfHubHTTPError as error:
        raise TrainingError(_answer(repository, error)) from None
    except (HTTPError, RuntimeError, OSError) as error:
        raise TrainingError(
            f"{repository} could not be pushed: {error}. Push again: what has arrived is not sent "
            "twice."
        ) from None


def _answer(repository: str, error: Any) -> str:
    status = getattr(getattr(error, "response", None), "status_code", None)
    if status in (401, 403):
        return f"The hub refuses the token of {TOKEN}: it may not write to {repository}."
    reason = getattr(error, "server_message", None) or str(error).partition("\n")[0]
    return f"The hub answered {status} about {repository}: {reason}. Push again later."
