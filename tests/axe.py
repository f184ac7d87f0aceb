"""Accessibility of a page in the browser, by axe-core's rules (WCAG 2.2 A and AA among them)."""

from typing import Any

from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Frame, Page

SCRIPT = Axe().axe_script
PATH = "/axe.js"  # at live servers: a browser keeps what it made of a script with an address
OFF_BY_DEFAULT = {"target-size": {"enabled": True}}  # WCAG 2.2's own rule
# Return what is wrong; null where the page takes no script from its own server, or has none. Each
# colour is parsed once: axe parses the few of a page again for each element below each text.
RUN = """async ([path, options, exclude]) => {
  try {
    if (!("axe" in window)) await new Promise((resolve, reject) => {
      const script = Object.assign(document.createElement("script"), {src: path});
      script.onload = resolve;
      script.onerror = reject;
      document.head.append(script);
    });
    document.querySelector(`head > script[src="${path}"]`)?.remove();
  } catch {}
  if (!("axe" in window)) return null;
  if (!axe.remembersColours) {
    const colour = axe.commons.color.Color.prototype, parse = colour.parseString, known = new Map();
    colour.parseString = function (text) {
      if (known.has(text)) return Object.assign(this, known.get(text));
      parse.call(this, text);
      known.set(text, {r: this.r, g: this.g, b: this.b, alpha: this.alpha});
      return this;
    };
    axe.remembersColours = true;
  }
  return (await axe.run({exclude}, options)).violations;
}"""


def violations(
    page: Page | Frame, *rules: str, without: tuple[str, ...] = (), outside: tuple[str, ...] = ()
) -> list[str]:
    """Return what axe finds wrong with a page, by all rules or some: rule, impact, and where.

    outside: selectors of what it does not look at.
    """
    switched: dict[str, object] = {rule: {"enabled": False} for rule in without}
    options: dict[str, object] = {
        "resultTypes": ["violations"],
        "rules": OFF_BY_DEFAULT | switched,
        "preload": {"assets": ["media"]},  # no rule that is on looks at the text of style sheets
    }
    if rules:
        options |= {"runOnly": list(rules), "preload": False}
    given = [PATH, options, list(outside)]
    found: list[Any] | None = page.evaluate(RUN, given)
    if found is None:
        page.evaluate(SCRIPT)
        found = page.evaluate(RUN, given)
    assert found is not None
    return [
        f"{each['id']} ({each['impact']}): {node['target']} {node['failureSummary']}"
        for each in found
        for node in each["nodes"]
    ]
