"""In low windows the question, its pictures and the buttons are in sight together."""

from collections.abc import Callable

import pytest
from playwright.sync_api import Page

Ask = Callable[..., Page]
KINDS = ("grid", "split", "write")
# A phone whose browser takes its share, a phone on its side, and a window at 400 %.
SIZES = {"phone": (320, 568), "on its side": (844, 390), "zoomed": (320, 200)}
# What is out of sight, or covered by the buttons; the header may be scrolled out of a tiny window.
FAULTS = """direction => {
  document.documentElement.dir = direction;
  document.getElementById("hint").textContent = "";
  window.scrollTo(0, 0);
  if (innerHeight < 256) document.getElementById("ask").scrollIntoView();
  const boxOf = selector => document.querySelector(selector).getBoundingClientRect();
  const seen = {"#question": 0, "#stage > *": 0, "#actions": 0};
  if (innerHeight > 320) seen["#strip"] = seen["#skip"] = 0;
  for (const selector in seen) seen[selector] = boxOf(selector);
  const faults = [];
  for (const [name, box] of Object.entries(seen)) {
    const isOut = box.top < -1 || box.left < -1 || box.bottom > innerHeight + 1
      || box.right > document.documentElement.clientWidth + 1;
    if (isOut) faults.push(`${name} is out of sight: ${JSON.stringify(box)}`);
  }
  const bar = seen["#actions"];
  for (const name of ["#question", "#stage > *"]) {
    const box = seen[name];
    const isBeside = box.right <= bar.left + 1 || box.left >= bar.right - 1;
    if (!isBeside && box.bottom > bar.top + 1) faults.push(`${name} is covered`);
  }
  const tile = document.querySelector("#stage .tile");
  const {width, height} = (tile ?? document.getElementById("skip")).getBoundingClientRect();
  if (Math.min(width, height) < 43.5) faults.push(`a tile of ${width} × ${height} px`);
  return faults;
}"""


@pytest.mark.parametrize("kind", KINDS)
def test_all_that_is_asked_is_in_sight(ask: Ask, page: Page, scenes, kind: str) -> None:
    page.set_viewport_size({"width": 320, "height": 568})
    ask(kind)
    found = {}
    for size, (width, height) in SIZES.items():
        page.set_viewport_size({"width": width, "height": height})
        for direction in ("ltr", "rtl"):
            found[size, direction] = page.evaluate(FAULTS, direction)
    assert not any(found.values()), found
