"""What metrics and judges are called, and how their figures read: the only source of their words.

A metric of ``metrics.json`` or of a verdict is named ``what@judge``. Pages, the API, the admin,
reports and verdicts all take its words and digits from here.
"""

import math
from collections.abc import Mapping
from typing import Literal, NamedTuple

REAL = {  # ends of names of metrics of real pictures, and what is said beside their value
    "real": "",
    "real_training": " (training pictures)",
    "floor": "",
    "apart": " (between training pictures)",
}
BESIDE = ("low", "high", "chance", *REAL)  # ends of names
NOT_MERIT = ("steps", "training_seconds")
PEOPLE = "people"  # the judge of verdicts who are no model
ENCODER = "encoder"  # what a first CLIP is compared with where it has predicted already
POINTS = 100  # of a share
NEARLY_NOTHING = 1e-9  # what rounding leaves of a difference of zero
SKEWED = 0.25  # of an interval's width: from there on ± would mislead


class Metric(NamedTuple):
    """What is measured: in plain words, by the field's name, and in which unit."""

    plain: str  # completes "better on …"
    method: str = ""  # what the literature calls it
    unit: Literal["share", "nats", ""] = ""
    less_is_better: bool = False


METRICS = {
    "r_precision": Metric("how well pictures fit their words", "R-precision", "share"),
    "r_precision_one_call": Metric(
        "how well pictures that it draws in one call fit their words",
        "R-precision, one call",
        "share",
    ),
    "r_precision_held_out": Metric(
        "how well pictures fit captions it never saw", "R-precision, held out", "share"
    ),
    "r_precision_unseen_pairs": Metric(
        "how well pictures fit a colour and a thing it never saw together",
        "R-precision, unseen pairs",
        "share",
    ),
    "unseen_colour": Metric(
        "how often a thing has a colour it was never seen in", "colour accuracy", "share"
    ),
    "attributes": Metric("how often the thing asked for is seen", "accuracy", "share"),
    "kid": Metric("how far its pictures are from real ones", "KID", less_is_better=True),
    "cmmd": Metric("how far its pictures are from real ones", "CMMD", less_is_better=True),
    "density": Metric("how typical its pictures are", "density"),
    "coverage": Metric("how much of the real pictures' variety it has", "coverage", "share"),
    "variety": Metric("how unlike each other its pictures of the same words are", "variety"),
    "clip_score": Metric("how near pictures are to their captions", "CLIP score"),
    "cosine": Metric("how near pictures are to their captions", "cosine"),
    "nearest_train": Metric("how far its pictures are from the nearest one it learnt from"),
    "near_copies": Metric(
        "how many pictures nearly copy one it learnt from", "near copies", "share", True
    ),
    "nats_per_token": Metric(
        "how well it foresees real pictures", "nats per token", "nats", less_is_better=True
    ),
    "discriminator_accuracy": Metric(
        "how often its pictures are told from real ones", "accuracy", "share", True
    ),
    "recall@10": Metric("how often a caption finds its picture among ten", "recall at 10", "share"),
    "caption_among_ten": Metric(
        "how often a picture finds its caption among ten", "accuracy", "share"
    ),
    "concept_ap": Metric("how well it ranks pictures by concept", "average precision", "share"),
    "concept_ap_zero_shot": Metric(
        "how well it ranks pictures by a concept's name alone",
        "average precision, zero-shot",
        "share",
    ),
    "concept_log_loss": Metric(
        "how well it foresees what people or imports say", "log loss", "nats", less_is_better=True
    ),
    "other_half": Metric(
        "how often the half it draws is nearest to the true one of up to 20", "accuracy", "share"
    ),
    "other_half_of_nearest": Metric(
        "the same of the half of the nearest pair it learnt from", "accuracy", "share"
    ),
    "other_half_error": Metric(
        "how far the half it draws is from the true one", "RMS error", less_is_better=True
    ),
    "other_half_error_of_nearest": Metric(
        "the same of the half of the nearest pair it learnt from", "RMS error", less_is_better=True
    ),
    "other_half_error_of_first": Metric(
        "the same of the first half itself", "RMS error", less_is_better=True
    ),
    PEOPLE: Metric("whether people find that pictures fit their words", "", "share"),
}
JUDGES = {
    "lsa-clip": "the project's own judge",
    "lsa-linear": "a quick, rough judge",
    "efficientnet-lite0": "a judge that is the same everywhere",
    "pixels": "the pixels' colours",
    "discriminator": "the model's discriminator",
}


def metric(name: str) -> Metric:
    """Return what is known of a metric, with or without a judge in its name."""
    what = _what(name)
    return METRICS.get(what) or Metric(what.replace("_", " "))


def plain(name: str) -> str:
    """Return what a metric measures in plain words: they complete "better on …"."""
    return metric(name).plain


def judge(name: str) -> str:
    """Return who judged, in words; empty where a metric needs no judge."""
    if name in METRICS:
        return ""
    key = name.partition("@")[2]
    return JUDGES.get(key) or (f"the CLIP {key}" if key else "")


def words(name: str) -> str:
    """Return a metric in words, with its method and its judge."""
    known, by = metric(name), judge(name)
    method = f" ({known.method})" if known.method else ""
    return f"{known.plain}{method}, by {by}" if by else f"{known.plain}{method}"


def figure(name: str, value: float | None) -> str:
    """Return a value in sensible digits, with its unit; a dash for none."""
    if value is None or not math.isfinite(value):
        return "–"
    if metric(name).unit == "share":
        return f"{_decimal(value * POINTS, 0 if abs(value) >= 0.1 else 1)}%"
    return _significant(value) + _unit(name)


def interval(name: str, low: float | None, high: float | None) -> str:
    """Return an interval in words; empty where there is none."""
    if low is None or high is None or not (math.isfinite(low) and math.isfinite(high)):
        return ""
    return f"{figure(name, low)} to {figure(name, high)}"


def size(name: str, difference: float, width: float | None = None) -> str:
    """Return the size of a difference without its sign: "3 points", "0.012".

    width: of its interval, beyond which no digits are given.
    """
    return _sized(name, abs(difference), width)


def difference(name: str, value: float, low: float, high: float) -> str:
    """Return a difference whose sign makes up better, with its interval.

    Such as "3 points better (±2)" or "0.01 worse (from 0.04 worse to 0.02 better)".
    """
    if not all(map(math.isfinite, (value, low, high))):
        return "unknown"
    return f"{_signed(name, value, high - low)} {spread(name, value, low, high)}".strip()


def spread(name: str, value: float, low: float, high: float) -> str:
    """Return the interval of a difference in brackets: "(±2)" where it is symmetric."""
    width = high - low
    if width <= NEARLY_NOTHING:
        return ""
    if abs((high - value) - (value - low)) <= SKEWED * width:
        return f"(±{_bare(name, width / 2, width)})"
    return f"(from {_signed(name, low, width)} to {_signed(name, high, width)})"


def is_beside(name: str, values: Mapping[str, object]) -> bool:
    """Return whether a metric stands beside another one: as its interval, chance or real value."""
    return any(name.removesuffix(f"_{end}") in values for end in BESIDE if name.endswith(end))


def _what(name: str) -> str:
    return name if name in METRICS else name.partition("@")[0]


def _unit(name: str) -> str:
    return " nats" if metric(name).unit == "nats" else ""


def _signed(name: str, value: float, width: float) -> str:
    bare = _bare(name, abs(value), width)
    if float(bare) == 0:
        return "no better"
    return f"{_sized(name, abs(value), width)} {'better' if value > 0 else 'worse'}"


def _sized(name: str, value: float, width: float | None) -> str:
    bare = _bare(name, value, width)
    if metric(name).unit == "share":
        return f"{bare} point" if bare == "1" else f"{bare} points"
    return bare + _unit(name)


def _bare(name: str, value: float, width: float | None) -> str:
    """Return a size without its unit, no finer than its interval's width makes sense of."""
    scaled = value * POINTS if metric(name).unit == "share" else value
    if width is None:
        return _significant(scaled)
    half = width / 2 * (POINTS if metric(name).unit == "share" else 1)
    if half <= NEARLY_NOTHING:
        return _significant(scaled)
    return _decimal(scaled, min(max(0, -math.floor(math.log10(half))), 4))


def _significant(value: float) -> str:
    """Return two significant digits, and never a power of ten."""
    if abs(value) < NEARLY_NOTHING:
        return "0"
    return _decimal(value, min(max(0, 1 - math.floor(math.log10(abs(value)))), 4))


def _decimal(value: float, digits: int) -> str:
    """Return a decimal without trailing zeros and without a minus before nothing."""
    text = f"{value:,.{digits}f}"
    if "." in text:
        text = text.rstrip("0").rstrip(".")
    return "0" if text == "-0" else text
