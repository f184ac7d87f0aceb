"""Accessibility of a page in the browser, by axe-core's rules (WCAG 2.2 A and AA among them)."""

from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page

OFF_BY_DEFAULT = {"target-size": {"enabled": True}}  # WCAG 2.2's own rule


def violations(page: Page, *rules: str) -> list[str]:
    """Return what axe finds wrong with a page, by all rules or some: rule, impact, and where."""
    options: dict[str, object] = {"resultTypes": ["violations"], "rules": OFF_BY_DEFAULT}
    if rules:
        options |= {"runOnly": list(rules), "preload": False}
    results = Axe().run(page, options=options).response["violations"]
    return [
        f"{each['id']} ({each['impact']}): {node['target']} {node['failureSummary']}"
        for each in results
        for node in each["nodes"]
    ]
