"""A handful of pictures laid out as npm lays out the real ones of the demo."""

import json
from pathlib import Path

from PIL import Image

from tests.pictures import patchwork

PICTURES = {
    "animal-mammal": ["cat", "dog", "horse", "pig", "cow"],
    "animal-bird": ["duck", "owl", "swan"],
    "animal-bug": ["ant", "beetle", "fly"],
    "plant-flower": ["lotus", "rosette", "hibiscus"],
    "plant-other": ["evergreen tree", "deciduous tree", "palm tree"],
    "food-fruit": ["red apple", "banana", "pear"],
    "food-vegetable": ["carrot", "onion", "broccoli"],
    "food-sweet": ["cookie", "candy", "pie"],
    "drink": ["wine glass", "bubble tea", "beer mug"],
    "transport-ground": ["automobile", "taxi", "bicycle", "tractor"],
    "time": ["alarm clock", "one o’clock", "watch"],
    "musical-instrument": ["guitar", "drum", "flute"],
    "clothing": ["jeans", "coat", "hiking boot", "running shoe", "backpack", "purse"],
    "sport": ["soccer ball", "volleyball", "basketball"],
    "person": ["person", "man", "woman"],
    "country-flag": ["flag: Chile"],
}
OTHER_NAMES = {  # what two chat systems call them
    "wine glass": "glass_of_wine",
    "beer mug": "mug_of_beer",
    "evergreen tree": "tree",
    "palm tree": "tree_palm",
    "red apple": "apple",
    "alarm clock": "clock",
    "running shoe": "shoe",
    "soccer ball": "ball",
    "hiking boot": "boot",
    "person": "prsn",
}


def lay_out(folder: Path) -> None:
    """Write pictures, names and keywords below a folder."""
    assets = folder / "@lobehub" / "fluent-emoji-3d" / "assets"
    words = folder / "emojibase-data" / "en"
    assets.mkdir(parents=True)
    words.mkdir(parents=True)
    rows: list[dict[str, object]] = []
    for number, subgroup in enumerate(PICTURES):
        for name in PICTURES[subgroup]:
            code = f"1F{len(rows):03X}"
            row = {"label": name, "hexcode": f"{code}-FE0F", "tags": [*name.split(), subgroup]}
            row |= {"order": len(rows), "subgroup": number}
            if name in {"person", "man"}:
                row["skins"] = [
                    {"tone": tone, "label": name, "hexcode": f"{code}-1F3F{tone}"}
                    for tone in range(1, 6)
                ]
            rows.append(row)
            for skin in ("", *(f"-1f3f{tone}" for tone in range(1, 6) if "skins" in row)):
                _picture(len(rows) + 100 * len(skin)).save(
                    assets / f"{code.lower()}{skin}.webp", lossless=True
                )
    (words / "data.json").write_text(json.dumps(rows))
    _write_shortcodes(words / "shortcodes", rows)
    groups = [{"order": number, "key": key} for number, key in enumerate(PICTURES)]
    (words / "messages.json").write_text(json.dumps({"subgroups": groups}))


def _write_shortcodes(folder: Path, rows: list[dict[str, object]]) -> None:
    """Write what chat systems call the emoji: two of four have names that are not their own."""
    folder.mkdir()
    own = {str(row["hexcode"]): str(row["label"]).replace(" ", "_") for row in rows}
    others = {
        str(row["hexcode"]): OTHER_NAMES.get(str(row["label"]), own[str(row["hexcode"])])
        for row in rows
    }
    for system, names in (("github", own), ("iamcal", own), ("joypixels", others)):
        (folder / f"{system}.json").write_text(json.dumps(names))
    lists = {code: [name, "only_here"] for code, name in others.items()}
    (folder / "emojibase.json").write_text(json.dumps(lists))


def _picture(seed: int) -> Image.Image:
    image = patchwork(seed, (64, 64)).convert("RGBA")
    image.putalpha(Image.new("L", (64, 64)))
    image.paste(patchwork(seed, (40, 40)), (12, 12))
    return image
