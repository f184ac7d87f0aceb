"""Pictures are decoded, cut and scaled."""

from pathlib import Path

import numpy as np
from PIL import Image

from training.engine.data.pictures import load


def test_a_box_is_cut_out_of_its_picture(tmp_path: Path) -> None:
    pixels = np.zeros((40, 60, 3), np.uint8)
    pixels[10:30, 20:40] = 255
    Image.fromarray(pixels).save(tmp_path / "x.png")
    inside, outside = load(tmp_path / "x.png", [(20, 10, 20, 20), (0, 0, 10, 10)], 4)
    assert inside.min() == 255
    assert outside.max() == 0
