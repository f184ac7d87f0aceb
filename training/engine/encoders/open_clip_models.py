"""Load any model of open_clip's, and use it as a `Clip`."""

import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from training.engine.device import device
from training.engine.encoders.clip import Clip, image_encoder, text_encoder
from training.engine.encoders.libraries import open_clip
from training.engine.files import TrainingError


@dataclass(frozen=True)
class OpenClip:
    """An open_clip model with the tokenizer that belongs to it."""

    model: Any
    tokenizer: Any
    identity: str

    @property
    def size(self) -> int:
        """Return the side in pixels of the pictures that the model takes."""
        size: int | tuple[int, int] = self.model.visual.image_size
        return size if isinstance(size, int) else size[0]

    def clip(self, identity: str) -> Clip:
        """Return the model, in its present state, under the name ``identity``."""
        model, tokenizer = self.model.eval(), self.tokenizer
        visual = model.visual
        width = int(model.encode_text(tokenizer(["a picture"]).to(device())).shape[1])
        return Clip(
            identity=identity,
            size=self.size,
            width=width,
            encode_images=image_encoder(model.encode_image, visual.image_mean, visual.image_std),
            encode_texts=text_encoder(
                lambda texts: model.encode_text(tokenizer(texts).to(device())), width
            ),
        )


def load_open_clip(name: str, pretrained: str | None) -> Clip:
    """Load an open_clip model, frozen; names and errors as for `load_towers`."""
    towers = load_towers(name, pretrained)
    towers.model.requires_grad_(False)
    return towers.clip(towers.identity)


def load_towers(name: str, pretrained: str | None) -> OpenClip:
    """Load an open_clip model by a name it knows, ``local-dir:…``, ``hf-hub:…``, or a JSON file.

    Raise ``TrainingError`` with open_clip's own reason where it cannot be loaded.
    """
    module = open_clip()
    model_name = name
    try:
        if name.endswith(".json"):
            module.add_model_config(name)
            model_name = Path(name).stem
        model = module.create_model(model_name, pretrained=pretrained, require_pretrained=True)
        tokenizer = module.get_tokenizer(model_name)
    except Exception as error:
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise TrainingError(
            f"open_clip cannot load the model {name!r} with the weights {pretrained!r}: {reason}"
        ) from None
    identity = f"{Path(model_name).name}-{_weights_identity(name, pretrained)}"
    return OpenClip(model.to(device()), tokenizer, identity)


def _weights_identity(name: str, pretrained: str | None) -> str:
    """Return a tag as it is; of a local file or folder a hash of its content."""
    path = Path(name.removeprefix("local-dir:") if pretrained is None else pretrained)
    files = [path] if path.is_file() else sorted(path.glob("*.safetensors"))
    if not files:
        return str(pretrained)
    return hashlib.sha256(b"".join(file.read_bytes() for file in files)).hexdigest()[:16]
