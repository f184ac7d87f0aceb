"""Accessibility of a page in the browser, by axe-core's rules (WCAG 2.2 A and AA among them)."""

from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page

OFF_BY_DEFAULT = {"target-size": {"enabled": True}}  # WCAG 2.2's own rule
RUN = "async options => (await axe.run(options)).violations"


def violations(page: Page, *rules: str) -> list[str]:
    """Return what axe finds wrong with a page, by all rules or some: rule, impact, and where."""
    options: dict[str, object] = {"resultTypes": ["violations"], "rules": OFF_BY_DEFAULT}
    if rules:
        options |= {"runOnly": list(rules), "preload": False}
    if not page.evaluate("() => 'axe' in window"):  # which a page keeps while it is open
        page.evaluate(Axe().axe_script)
    return [
        f"{each['id']} ({each['impact']}): {node['target']} {node['failureSummary']}"
        for each in page.evaluate(RUN, options)
        for node in each["nodes"]
    ]
