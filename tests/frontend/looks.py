"""How pages are looked at: in which language, colours and size; and what is wrong there."""

import asyncio
from collections.abc import Iterator
from itertools import product
from typing import Any, NamedTuple

from playwright.sync_api import Page

from tests import axe

LANGUAGES = {
    "en": "en-GB",
    "de": "de-DE",
    "es": "es-ES",
    "fr": "fr-FR",
    "ar": "ar-EG",
    "zh-hans": "zh-CN",
}
SIZES = {"desk": (1280, 800), "phone": (320, 640), "zoomed": (320, 256)}  # zoomed: to 400 %
MARK = "¶"  # what the texts of a project begin with, that are not translated
TEXT_LANGUAGE = "de"  # of those texts
TABS = 60  # more than any public page has places for the focus
PRESSES = 8  # of Tab, before it is looked whether that was once around

# Sideways scroll, text that is cut off, targets below 44 px, and texts without their language.
LAYOUT = """([mark, language]) => {
  const root = document.documentElement;
  const faults = [];
  const say = (fault, element) => faults.push(
    `${fault}: <${element.localName} id="${element.id}" class="${element.className}">`
    + ` ${element.textContent.trim().slice(0, 60)}`);
  const excess = root.scrollWidth - root.clientWidth;
  if (excess > 0) faults.push(`${excess} px too wide`);
  const area = document.querySelector("dialog[open]") ?? document.body;
  const shown = {visibilityProperty: true, opacityProperty: true};
  const isSeen = element => element.checkVisibility(shown) && !clipped(element)
    && !element.closest(".skip-link, noscript, script");
  function clipped(element) {
    for (let each = element; each; each = each.parentElement)
      if (getComputedStyle(each).clipPath !== "none") return true;
    return false;
  }
  function cuts(element, box) {
    for (let each = element; each && each !== root; each = each.parentElement) {
      const {overflowX, overflowY} = getComputedStyle(each);
      const room = each.getBoundingClientRect();
      if (["auto", "scroll"].includes(overflowX) || each.localName === "dialog") return false;
      const isWider = box.left < room.left - 1 || box.right > room.right + 1;
      const isHigher = box.top < room.top - 3 || box.bottom > room.bottom + 3;
      if (["hidden", "clip"].includes(overflowX) && isWider) return true;
      if (["hidden", "clip"].includes(overflowY) && isHigher) return true;
    }
    return box.left < -1 || box.right > root.clientWidth + 1;
  }
  for (const element of area.querySelectorAll("*")) {
    const texts = [...element.childNodes].filter(node => node.nodeType === 3 && node.data.trim());
    if (!texts.length || !element.checkVisibility()) continue;
    if (texts.some(node => node.data.includes(mark)) && element.closest("[lang]").lang !== language)
      say("not said to be in its language", element);
    if (!isSeen(element)) continue;
    const range = document.createRange();
    for (const text of texts) {
      range.selectNodeContents(text);
      if ([...range.getClientRects()].some(box => box.width > 1 && cuts(element, box))) {
        say("cut off", element);
        break;
      }
    }
  }
  const pressed = "button, .button, summary, select, textarea, input:not([type=hidden]),"
    + " nav a, .sentence";
  for (const element of area.querySelectorAll(pressed)) {
    const target = element.closest("label") ?? element;
    if (!isSeen(target)) continue;
    const {width, height} = target.getBoundingClientRect();
    const size = `${width.toFixed(0)} × ${height.toFixed(0)} px`;
    if (Math.min(width, height) < 43.5) say(`only ${size}`, target);
  }
  return faults;
}"""

# At each press of Tab, note what is focused before it acts: its mark, whether it is drawn, and
# whether anything lies over it.
WALK = """() => {
  const look = element => {
    if (!element || element === document.body) return null;
    const drawn = [element, element.closest("label")].filter(Boolean).some(each => {
      const {outlineStyle, outlineWidth} = getComputedStyle(each);
      return outlineStyle !== "none" && parseFloat(outlineWidth) >= 2;
    });
    const [box] = element.getClientRects();
    const [x, y] = box ? [box.left + box.width / 2, box.top + box.height / 2] : [-1, -1];
    const top = document.elementFromPoint(x, y);
    const label = element.closest("label") ?? element;
    const isOnTop = top && (label.contains(top) || top.contains(label));
    element.dataset.walk ??= String(window.walked = (window.walked ?? 0) + 1);
    const name = `<${element.localName} id="${element.id}" class="${element.className}">`
      + ` ${(element.textContent || "").trim().slice(0, 40)}`;
    return {number: element.dataset.walk, name, drawn, isOnTop: Boolean(isOnTop)};
  };
  window.walk ?? addEventListener("keydown", event => {
    if (event.key === "Tab") window.walk.push(look(document.activeElement));
  }, true);
  window.walk = [];
}"""
TAB = {"type": "rawKeyDown", "key": "Tab", "code": "Tab", "windowsVirtualKeyCode": 9}

# Colours that fade from one look to the next have arrived.
FADED = """() => Promise.allSettled(document.getAnimations()
  .filter(animation => animation instanceof CSSTransition)
  .map(animation => animation.finished))"""


class Look(NamedTuple):
    """One way to look at a page."""

    scheme: str
    size: str
    forced_colors: str = "none"
    motion: str = "no-preference"


LOOKS = [
    *(Look(scheme, size) for scheme, size in product(("light", "dark"), SIZES)),
    Look("light", "phone", forced_colors="active"),
    Look("dark", "desk", forced_colors="active"),
    Look("light", "desk", motion="reduce"),
]


def take(page: Page, look: Look) -> None:
    """Look at a page that is open in another way."""
    width, height = SIZES[look.size]
    page.set_viewport_size({"width": width, "height": height})
    media: dict[str, Any] = {"color_scheme": look.scheme, "forced_colors": look.forced_colors}
    page.emulate_media(**media, reduced_motion=look.motion)
    page.evaluate(FADED)


def faults(page: Page, look: Look) -> Iterator[str]:
    """Return what is wrong with a page as it is looked at: by axe's rules, and in its layout."""
    take(page, look)
    # Colours that are forced are the system's, which axe does not see.
    colours = () if look.forced_colors == "none" else ("color-contrast",)
    yield from axe.violations(page, without=colours)
    yield from page.evaluate(LAYOUT, [MARK, TEXT_LANGUAGE])


def focus_faults(page: Page) -> Iterator[str]:
    """Walk through a page with Tab; return what is focused without a mark, or below something."""
    start, *walked = steps(page)
    for focused in walked:
        if not focused["drawn"]:
            yield f"focused without a mark: {focused['name']}"
        if not focused["isOnTop"]:
            yield f"focused below something: {focused['name']}"
    if not (start or walked):
        yield "nothing can be focused"


def steps(page: Page) -> list[Any]:
    """Press Tab until it has been once around; return what was focused before, and each time."""
    page.evaluate(WALK)
    keyboard = page.context.new_cdp_session(page)
    taken: list[Any] = []
    while len(taken) < TABS:
        _press_tab(keyboard)
        taken += page.evaluate("() => window.walk.splice(0)")
        numbers = [each and each["number"] for each in taken]
        if ends := [at for at in range(1, len(taken)) if numbers[at] in {None, *numbers[:at]}]:
            del taken[ends[0] :]
            break
    keyboard.detach()
    return taken


def _press_tab(keyboard: Any) -> None:
    """Press Tab several times, before the page is drawn again, which is what takes long.

    Playwright's own way to press a key, once it was pressed, waits until it is.
    """

    async def press() -> None:
        send = keyboard._impl_obj.send
        await asyncio.gather(*(send("Input.dispatchKeyEvent", TAB, None) for _ in range(PRESSES)))

    keyboard._sync(press())
