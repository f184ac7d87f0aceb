"""Accessibility of a page in the browser, by axe-core's rules (WCAG 2.2 A and AA among them)."""

from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page


def violations(page: Page) -> list[str]:
    """Return what axe finds wrong with a page: rule, impact, and where."""
    results = Axe().run(page).response["violations"]
    return [
        f"{each['id']} ({each['impact']}): {node['target']} {node['failureSummary']}"
        for each in results
        for node in each["nodes"]
    ]
