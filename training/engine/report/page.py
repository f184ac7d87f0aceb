"""The parts of a report as HTML: every text is escaped, every picture is embedded."""

import base64
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from training.engine.report.escape import text

SAME_PROMPTS = "The same prompts and seeds over time"
SAME_PAIRS = "The same pairs over time: the first half, and what is drawn as the other"
POLICY = "default-src 'none'; img-src data:; style-src 'unsafe-inline'"


class Strip(NamedTuple):
    """A prompt, and a PNG of its samples at each step; or a pair, and a PNG of each picture."""

    prompt: str
    pictures: dict[int, bytes]


class Comparison(NamedTuple):
    """A sample, the nearest training pictures (name, PNG), and how far the first of them is."""

    prompt: str
    picture: bytes
    nearest: list[tuple[str, bytes]]
    distance: float


def whole(title: str, parts: Sequence[str]) -> str:
    """Return the page, which may load nothing, whatever a caption says."""
    style = Path(__file__).with_name("report.css").read_text("utf-8")
    return (
        '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        f'<meta http-equiv="Content-Security-Policy" content="{POLICY}">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>{text(title)}</title>\n<style>\n{style}</style>\n</head>\n<body>\n"
        + "\n".join(part for part in parts if part)
        + "\n</body>\n</html>\n"
    )


def heading(about: Mapping[str, Any], facts: Mapping[str, str]) -> str:
    """Return the title and a list of facts."""
    named = f"{about.get('recipe', '')}, {about.get('preset', '')}"
    return f"<h1>{text(named)}</h1>\n{_list(facts)}"


def _list(facts: Mapping[str, Any]) -> str:
    rows = [f"<dt>{text(name)}</dt><dd>{text(value)}</dd>" for name, value in facts.items()]
    return f"<dl>{''.join(rows)}</dl>"


def config(title: str, values: object) -> str:
    """Return a config as a list of names and values."""
    if not isinstance(values, dict) or not values:
        return ""
    shown = {
        str(name): value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
        for name, value in values.items()
    }
    return f"<h2>{text(title)}</h2>\n{_list(shown)}"


def strips(prompts: Sequence[Strip], title: str = SAME_PROMPTS) -> str:
    """Return a table of the fixed prompts' samples, a column a step."""
    if not prompts:
        return ""
    steps = list(prompts[0].pictures)
    head = "".join(f'<th scope="col">step {step:,}</th>' for step in steps)
    rows = "".join(
        f'<tr><th scope="row">{text(strip.prompt) or "no prompt"}</th>'
        + "".join(f"<td>{_image(strip.pictures[step], strip.prompt)}</td>" for step in steps)
        + "</tr>"
        for strip in prompts
    )
    return (
        f"<h2>{text(title)}</h2>\n"
        f'<div class="wide"><table class="strip"><thead><tr><td></td>{head}</tr></thead>'
        f"<tbody>{rows}</tbody></table></div>"
    )


def pairs(rows: Sequence[Strip]) -> str:
    """Return pairs with what the model drew between their halves."""
    figures = [
        "<figure><div>"
        + "".join(_image(picture, strip.prompt) for picture in strip.pictures.values())
        + f"</div><figcaption>{text(strip.prompt)}</figcaption></figure>"
        for strip in rows
    ]
    if not figures:
        return ""
    return (
        "<h2>Beside the true halves</h2>\n<p>First the half that the model was given, then what "
        "it drew with several seeds, last the half that belongs to it: of pairs that it never "
        f'saw, if any are held out.</p>\n<div class="likes halves">{"".join(figures)}</div>'
    )


def nearest_training_pictures(
    comparisons: Sequence[Comparison], spacing: float, near: float
) -> str:
    """Return samples beside the training pictures that are nearest, so that copies are seen.

    ``spacing`` is the distance between neighbouring training pictures; below ``near`` is a near
    copy.
    """
    if not comparisons:
        return ""
    figures = [
        f"<figure><div>{_image(comparison.picture, comparison.prompt)}"
        + "".join(_image(picture, name) for name, picture in comparison.nearest if picture)
        + f"</div><figcaption>{text(comparison.prompt) or 'no prompt'}: {comparison.distance:.3f}"
        + (", a near copy" if comparison.distance < near else "")
        + "</figcaption></figure>"
        for comparison in comparisons
    ]
    return (
        "<h2>Beside the nearest training pictures</h2>\n<p>First what the model generated, then "
        "the training pictures that are nearest to it, mirrored or not. The number is how far the "
        "first of them is: the root mean square difference of pixels, which run from 0 to 1. "
        f"Neighbouring training pictures are {spacing:.3f} apart; below {near:.3f} counts as a "
        f'near copy.</p>\n<div class="likes">{"".join(figures)}</div>'
    )


def _image(content: bytes, name: str) -> str:
    data = base64.b64encode(content).decode()
    return f'<img alt="{text(name)}" src="data:image/png;base64,{data}">'
