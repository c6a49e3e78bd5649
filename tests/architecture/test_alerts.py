"""Every alert looks at metrics that exist, by labels that they have, and names a runbook; each runbook has an alert."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any, Final

import pytest
import yaml
from prometheus_client import Counter, Gauge, Histogram

from runtime import telemetry

ROOT: Final = Path(__file__).resolve().parents[2]
GROUPS: Final[list[dict[str, Any]]] = yaml.safe_load(
    (ROOT / "deploy/prometheus/alerts.yaml").read_text("utf-8")
)["groups"]
RULES: Final[list[dict[str, Any]]] = [rule for group in GROUPS for rule in group["rules"]]
_SUFFIXES: Final[dict[Any, tuple[str, ...]]] = {
    Counter: ("_total",),
    Gauge: ("",),
    Histogram: ("_bucket", "_sum", "_count"),
}
#: `le` is what a histogram's buckets are told apart by.
_LABELS: Final = {
    metric._name + suffix: {*metric._labelnames, *(["le"] if suffix == "_bucket" else [])}
    for metric in vars(telemetry).values()
    if type(metric) in _SUFFIXES
    for suffix in _SUFFIXES[type(metric)]
}


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule["alert"])
def test_an_alert(rule: dict[str, Any]) -> None:
    metrics = set(re.findall(r"\bstunity_\w+", rule["expr"]))
    assert metrics, "an alert about nothing"
    assert metrics <= _LABELS.keys()
    known = set.intersection(*(_LABELS[metric] for metric in metrics))
    used = set(re.findall(r"\$labels\.(\w+)", rule["annotations"]["summary"]))
    used |= {label for names in re.findall(r"by \(([^)]*)\)", rule["expr"]) for label in names.split(", ")}
    used |= set(re.findall(r"[{,]\s*(\w+)\s*[!=]?[=~]", rule["expr"]))
    assert used <= known
    assert rule["labels"]["severity"] in ("page", "ticket")
    assert (ROOT / rule["annotations"]["runbook"]).is_file()


def test_alerts_have_names_of_their_own() -> None:
    names = [rule["alert"] for rule in RULES]
    assert len(set(names)) == len(names)


def test_every_runbook_is_somebodys() -> None:
    pages = {page.name for page in (ROOT / "docs/runbooks").glob("*.md")} - {"README.md"}
    assert pages == {Path(rule["annotations"]["runbook"]).name for rule in RULES}
