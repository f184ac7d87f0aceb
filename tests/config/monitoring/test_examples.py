"""The dashboard and the rules of `deploy/monitoring` speak of metrics that there are."""

import json
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

FOLDER = Path(__file__).resolve().parents[3] / "deploy" / "monitoring"
DASHBOARD, ALERTS = FOLDER / "dashboard.json", FOLDER / "alerts.yml"
SUFFIXES = re.compile(r"_(bucket|sum|count)$")
FILES = pytest.mark.parametrize("path", [DASHBOARD, ALERTS], ids=lambda path: path.name)


def rules() -> list[dict[str, Any]]:
    return [
        rule for group in yaml.safe_load(ALERTS.read_text())["groups"] for rule in group["rules"]
    ]


def expressions(path: Path) -> Iterator[str]:
    """Yield each expression of a file."""
    if path == ALERTS:
        yield from (rule["expr"] for rule in rules())
        return
    for panel in json.loads(path.read_text())["panels"]:
        yield from (target["expr"] for target in panel["targets"])


def known() -> dict[str, set[str]]:
    """Return the labels of each metric, as the code declares them."""
    source = "\n".join(path.read_text() for path in Path("config/monitoring").glob("*metrics.py"))
    declared = re.split(r"(?=Histogram\(|Gauge\(|Counter\(|MetricFamily\(|name, about = )", source)
    found: dict[str, set[str]] = {}
    for each in declared:
        name = re.search(r'"(tessera_\w+)"', each)
        labels = re.search(r'(?:labels=|names = )?\[((?:"\w+"(?:, )?)+)\]', each)
        if name:
            found[name[1]] = set(re.findall(r"\w+", labels[1])) if labels else set()
    return found


@FILES
def test_each_metric_exists_and_has_the_labels_that_are_asked_for(path: Path) -> None:
    metrics = known()
    assert len(metrics) >= 18
    asked = list(expressions(path))
    assert len(asked) >= 14
    for expression in asked:
        names = re.findall(r"tessera_\w+", expression)
        assert {SUFFIXES.sub("", name) for name in names} <= set(metrics) | {"tessera"}, expression
        for name, labels in re.findall(r"(tessera_\w+)\{([^}]*)\}", expression):
            of_metric = metrics[SUFFIXES.sub("", name)]
            assert set(re.findall(r"(\w+)\s*[=!]~?", labels)) <= of_metric, expression


def test_each_metric_is_on_the_dashboard() -> None:
    shown = " ".join(expressions(DASHBOARD))
    assert [name for name in known() if name not in shown] == []


def test_each_alert_has_a_severity_and_a_sentence() -> None:
    for rule in rules():
        assert rule["labels"]["severity"] in {"critical", "warning", "info"}
        assert rule["annotations"]["summary"].endswith(".")


@pytest.mark.skipif(not shutil.which("promtool"), reason="promtool (Debian: prometheus) is missing")
def test_prometheus_reads_the_rules() -> None:
    done = subprocess.run(["promtool", "check", "rules", ALERTS], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
