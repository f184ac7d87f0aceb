"""What a model learnt from people's verdicts on drawings, in words, from its ``config.json``.

It imports no torch: the web process tells it as well.
"""

from collections.abc import Mapping
from typing import Any

LEFT_OUT = {  # why a drawing teaches nothing
    "not_judged": "too few people have judged {}",
    "undecided": "people contradict each other about {}",
    "measures": "models are measured by the prompts of {}",
    "held_out": "{} fell among the held-out pictures",
    "gone": "the pictures of {} are gone",
}


def learnt_from_drawings(config: Mapping[str, Any]) -> str:
    """Return how many drawings were read, learnt from and left out, and why; "" for none."""
    drawings = config.get("drawings")
    if not isinstance(drawings, dict):
        return ""
    used, left_out = _number(drawings.get("used")), drawings.get("left_out")
    reasons = {
        words.format(f"{number:,}"): number
        for key, words in LEFT_OUT.items()
        if (number := _number(left_out.get(key) if isinstance(left_out, dict) else 0))
    }
    rest = sum(reasons.values())
    words = f"learnt from {used:,} of {used + rest:,}"
    if reasons:
        words += f"; {rest:,} left out: {', '.join(reasons)}"
    if drawings.get("preferences") is True:
        words += f"; by preference from {_number(drawings.get('pairs')):,} pairs"
    return words


def _number(value: object) -> int:
    return value if isinstance(value, int) and not isinstance(value, bool) and value > 0 else 0
