"""The parts of a report as HTML: every text is escaped, every picture is embedded."""

import base64
import json
import math
from collections.abc import Mapping, Sequence
from html import escape
from pathlib import Path
from typing import Any, NamedTuple

Points = Sequence[tuple[int, float]]
WIDTH, HEIGHT, LEFT, BOTTOM, TOP = 480, 240, 56, 26, 12  # of a plot
BESIDE = ("low", "high", "chance", "real", "real_training", "floor", "apart")
NOT_MERIT = ("steps", "training_seconds")
POLICY = "default-src 'none'; img-src data:; style-src 'unsafe-inline'"


class Strip(NamedTuple):
    """A prompt, and a PNG of its samples at each step."""

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
        f"<title>{_text(title)}</title>\n<style>\n{style}</style>\n</head>\n<body>\n"
        + "\n".join(part for part in parts if part)
        + "\n</body>\n</html>\n"
    )


def _text(value: object) -> str:
    """Escape a value; replace what UTF-8 cannot encode."""
    return escape(str(value).encode("utf-8", "replace").decode(), quote=True)


def heading(about: Mapping[str, Any], facts: Mapping[str, str]) -> str:
    """Return the title and a list of facts."""
    named = f"{about.get('recipe', '')}, {about.get('preset', '')}"
    return f"<h1>{_text(named)}</h1>\n{_list(facts)}"


def _list(facts: Mapping[str, Any]) -> str:
    rows = [f"<dt>{_text(name)}</dt><dd>{_text(value)}</dd>" for name, value in facts.items()]
    return f"<dl>{''.join(rows)}</dl>"


def config(title: str, values: object) -> str:
    """Return a config as a list of names and values."""
    if not isinstance(values, dict) or not values:
        return ""
    shown = {
        str(name): value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
        for name, value in values.items()
    }
    return f"<h2>{_text(title)}</h2>\n{_list(shown)}"


# Curves


def curves(plots: Mapping[str, Points]) -> str:
    """Return plots of figures over steps, by title; those of one point are left out."""
    figures = [_plot(title, points) for title, points in plots.items() if len(points) > 1]
    if not figures:
        return ""
    return f'<h2>How it went</h2>\n<div class="plots">{"".join(figures)}</div>'


def _plot(title: str, points: Points) -> str:
    """Return a curve over steps as SVG, with round numbers along its axes."""
    low, high = min(v for _, v in points), max(v for _, v in points)
    ticks = round_numbers(low, high)
    first, last = points[0][0], points[-1][0]
    bottom, top = min(ticks[0], low), max(ticks[-1], high)

    def place(step: float, value: float) -> tuple[float, float]:
        x = LEFT + (step - first) / max(1, last - first) * (WIDTH - LEFT - 12)
        return x, TOP + (top - value) / ((top - bottom) or 1) * (HEIGHT - TOP - BOTTOM)

    lines = []
    for tick in ticks:
        _, y = place(first, tick)
        lines.append(f'<path class="grid" d="M{LEFT} {y:.1f}H{WIDTH - 12}"/>')
        lines.append(f'<text x="{LEFT - 8}" y="{y + 4:.1f}" text-anchor="end">{tick:g}</text>')
    for step, anchor in ((first, "start"), (last, "end")):
        x, _ = place(step, bottom)
        lines.append(f'<text x="{x:.1f}" y="{HEIGHT - 6}" text-anchor="{anchor}">{step:,}</text>')
    path = " L".join("{:.1f} {:.1f}".format(*place(*point)) for point in points)
    return (
        f'<figure><svg viewBox="0 0 {WIDTH} {HEIGHT}" role="img" aria-label="{_text(title)}">'
        f'{"".join(lines)}<path class="curve" d="M{path}"/></svg>'
        f"<figcaption>{_text(title)}, by step</figcaption></figure>"
    )


def round_numbers(low: float, high: float, count: int = 4) -> list[float]:
    """Return about ``count`` round numbers from at most ``low`` to at least ``high``."""
    span = (high - low) or abs(high) or 1.0
    rough = span / count
    size = 10.0 ** math.floor(math.log10(rough))
    step = next(size * f for f in (1, 2, 5, 10) if size * f >= rough * 0.999)
    first, last = math.floor(low / step + 1e-9), math.ceil(high / step - 1e-9)
    return [round(index * step, 12) for index in range(first, last + 1)]


# Figures


def metrics(values: Mapping[str, Any]) -> str:
    """Return a table of figures, with intervals and what chance and real pictures reach."""
    numbers = {k: float(v) for k, v in values.items() if type(v) in (int, float)}
    names = [name for name in numbers if not _beside(name, numbers) and name not in NOT_MERIT]
    if not names:
        return ""
    rows = [_figure(name, numbers) for name in names]
    head = "".join(f'<th scope="col">{word}</th>' for word in HEAD)
    return (
        "<h2>What it is worth</h2>\n<p>Each figure names the model that judged. The interval "
        "runs from the 5th to the 95th percentile.</p>\n"
        '<p class="key quiet"><span><i></i>figure and interval</span>'
        '<span><i class="chance"></i>chance</span><span><i class="real"></i>real pictures</span>'
        f'</p>\n<div class="wide"><table><thead><tr>{head}</tr></thead>'
        f"<tbody>{''.join(rows)}</tbody></table></div>"
    )


HEAD = ("figure", "value", "5 % to 95 %", "from 0 to 1", "chance", "real pictures")


WORDS = {
    "r_precision": "R-precision of the fixed prompts",
    "r_precision_held_out": "R-precision of held-out captions",
    "r_precision_unseen_pairs": "R-precision of colours and things never seen together",
    "unseen_colour": "the colour asked for, never seen of the thing",
    "attributes": "the concept asked for is seen",
    "kid": "KID from held-out pictures",
    "cmmd": "CMMD from held-out pictures",
    "clip_score": "CLIP score of held-out captions",
    "cosine": "cosine with held-out captions",
    "nearest_train": "distance to the nearest training picture",
    "near_copies": "share of near copies",
    "nats_per_token": "nats per token of held-out pictures",
    "told_from_real": "held-out pictures told from drawn ones",
    "recall@10": "own picture among the first ten",
    "caption_among_ten": "own caption preferred to nine others",
    "concept_ap": "average precision of concepts",
    "concept_ap_zero_shot": "average precision of concepts, from their names alone",
    "concept_log_loss": "log loss of concepts",
}


def _beside(name: str, numbers: Mapping[str, float]) -> bool:
    return any(name.removesuffix(f"_{end}") in numbers for end in BESIDE if name.endswith(end))


def _figure(name: str, numbers: Mapping[str, float]) -> str:
    value, beside = numbers[name], {end: numbers.get(f"{name}_{end}") for end in BESIDE}
    low, high = beside["low"], beside["high"]
    interval = f"{_number(low)} to {_number(high)}" if None not in (low, high) else ""
    real = [
        f"{_number(beside[end])}{word}"
        for end, word in (("real", ""), ("real_training", " (training)"), ("floor", ""),
                          ("apart", " (apart from each other)"))
        if beside[end] is not None
    ]  # fmt: skip
    cells = [
        f'<th scope="row">{_text(_words(name))}</th>',
        *(f'<td class="number">{cell}</td>' for cell in (_number(value), interval)),
        f"<td>{_bar(value, beside)}</td>",
        f'<td class="number">{_number(beside["chance"])}</td>',
        f'<td class="number">{"<br>".join(real)}</td>',
    ]
    return f"<tr>{''.join(cells)}</tr>"


def _words(name: str) -> str:
    what, _, judge = (name, "", "") if name in WORDS else name.partition("@")
    words = WORDS.get(what, what.replace("_", " "))
    return f"{words} by {judge}" if judge else words


def _number(value: float | None) -> str:
    return "" if value is None else f"{value:.3g}"


def _bar(value: float, beside: Mapping[str, float | None]) -> str:
    """Draw a figure on a line from 0 to 1 as SVG; nothing if it lies outside."""
    marks = {**beside, "value": value}
    known = [v for key, v in marks.items() if v is not None and key != "apart"]
    if not all(0 <= v <= 1 for v in known):
        return ""
    parts = ['<path class="grid" d="M4 9H116"/>']
    low, high = beside["low"], beside["high"]
    if low is not None and high is not None:
        parts.append(f'<path class="range" d="M{4 + 112 * low:.1f} 9H{4 + 112 * high:.1f}"/>')
    real = next(
        (beside[k] for k in ("real", "real_training", "floor") if beside[k] is not None), None
    )
    for kind, mark in (("chance", beside["chance"]), ("real", real)):
        if mark is not None:
            parts.append(f'<path class="{kind}" d="M{4 + 112 * mark:.1f} 1V17"/>')
    parts.append(f'<circle class="value" cx="{4 + 112 * value:.1f}" cy="9" r="4"/>')
    size = 'width="120" height="18" viewBox="0 0 120 18"'
    return f'<svg {size} aria-hidden="true">{"".join(parts)}</svg>'


# Pictures


def strips(prompts: Sequence[Strip]) -> str:
    """Return a table of the fixed prompts' samples, a column a step."""
    if not prompts:
        return ""
    steps = list(prompts[0].pictures)
    head = "".join(f'<th scope="col">step {step:,}</th>' for step in steps)
    rows = "".join(
        f'<tr><th scope="row">{_text(strip.prompt) or "no prompt"}</th>'
        + "".join(f"<td>{_image(strip.pictures[step], strip.prompt)}</td>" for step in steps)
        + "</tr>"
        for strip in prompts
    )
    return (
        "<h2>The same prompts and seeds over time</h2>\n"
        f'<div class="wide"><table class="strip"><thead><tr><td></td>{head}</tr></thead>'
        f"<tbody>{rows}</tbody></table></div>"
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
        + f"</div><figcaption>{_text(comparison.prompt) or 'no prompt'}: {comparison.distance:.3f}"
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
    return f'<img alt="{_text(name)}" src="data:image/png;base64,{data}">'
