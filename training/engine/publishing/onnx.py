"""Write a model that draws in one call as ONNX: one graph from noise and condition to pixels.

The graph's inputs are what the network is called with: noise, the embedding of a text, the
confidence in it and ratings. It runs without torch and without this package; texts are embedded
beforehand, or by whoever has the same encoder.
"""

import contextlib
import io
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch

from training.engine.files import TrainingError, draft, read_json, write_bytes
from training.engine.generation.marker import mark_of_model
from training.engine.recipes import load_generator
from training.engine.recipes.base import DrawsInOneCall, OneCall

OPSET = 20
INSTALL = "pip install 'tessera-labeling[onnx]'"
EMBEDDED = ".npz"  # of the file with the embedded prompts, beside the graph's


def write_onnx(
    folder: Path, out: Path, *, guidance: float | None = None, prompts: Sequence[str] = ()
) -> OneCall:
    """Write a model folder's network as an ONNX file, and return what was written.

    ``guidance`` is fixed in the graph; None is the model's own. With ``prompts``, a file of the
    same name with the suffix .npz holds the inputs that stand for each of them.

    Raises ``TrainingError`` where the model draws in many calls, or a package is missing.
    """
    generator = load_generator(folder)
    if not (isinstance(generator, DrawsInOneCall) and generator.draws_in_one_call):
        recipe = read_json(folder / "config.json")["recipe"]
        raise TrainingError(
            f"This model of {recipe} draws a picture in many calls: ONNX holds those that draw in "
            "one, which are those of gan and, with the option one_call_steps, of diffusion."
        )
    call = generator.one_call(guidance)
    program = _exported(call)
    for key, value in {**call.facts, **_hashes(folder)}.items():
        program.model.metadata_props[key] = value
    with draft(out) as temporary:
        program.save(temporary)
    if prompts:
        buffer = io.BytesIO()
        arrays: dict[str, Any] = {"prompts": np.array(prompts), **generator.embedded(prompts)}
        np.savez(buffer, **arrays)
        write_bytes(out.with_suffix(EMBEDDED), buffer.getvalue())
    return call


def _hashes(folder: Path) -> dict[str, str]:
    mark = mark_of_model(folder)
    return {"model_sha256": mark.model_sha256, "snapshot_sha256": mark.snapshot_sha256}


def _exported(call: OneCall) -> Any:
    """Return the program of a call, for any number of pictures at once."""
    try:
        import onnxscript  # noqa: F401 (torch's exporter stands on it)
    except ImportError:
        raise TrainingError(
            f"ONNX needs the packages onnx and onnxscript, which are not installed: {INSTALL}"
        ) from None
    batch = torch.export.Dim("pictures")
    with warnings.catch_warnings(), contextlib.redirect_stdout(io.StringIO()):
        warnings.simplefilter("ignore")  # of torch's, about itself
        return torch.onnx.export(
            call.module.cpu().eval(),
            tuple(call.inputs.values()),
            input_names=list(call.inputs),
            output_names=["pictures"],
            dynamic_shapes=[{0: batch} for _ in call.inputs],
            opset_version=OPSET,
            dynamo=True,
            verbose=False,
        )
