"""What alerts and board may ask for: the series of a service that has just started."""

import re
from collections import defaultdict
from collections.abc import Iterator
from functools import cache
from typing import Any

import yaml
from prometheus_client.parser import text_string_to_metric_families

from app import create_app
from tests.architecture.sources import PROJECT
from tests.doubles.web import FakeGateway

PROMETHEUS = PROJECT / "deploy" / "prometheus"
ALERTS = PROMETHEUS / "alerts.yml"
TESTS = PROMETHEUS / "alerts_test.yml"

#: Labels that Prometheus itself gives to each series, and the one of each bucket.
_GIVEN = {"job", "instance", "le"}
_SELECTOR = re.compile(r"\b((?:genesys_gateway_|process_|python_)\w+|genesys_gateway:[\w:]+)(?:\{([^}]*)\})?")
_MATCHER = re.compile(r'(\w+)\s*(=~|!~|!=|=)\s*"([^"]*)"')
#: Prometheus's own series, of which ours know nothing.
_OTHERS = {"ALERTS", "up"}


def rules() -> list[dict[str, Any]]:
    """Every rule of the file, in order."""
    return [rule for group in yaml.safe_load(ALERTS.read_text())["groups"] for rule in group["rules"]]


@cache
def series() -> dict[str, list[dict[str, str]]]:
    """The labels of each series, by the name of its samples."""
    gateway = FakeGateway()
    create_app(gateway)
    found: dict[str, list[dict[str, str]]] = defaultdict(list)
    for family in text_string_to_metric_families(gateway.metrics.render().decode()):
        for sample in family.samples:
            found[sample.name].append(sample.labels)
    return found


def mistakes(expression: str) -> Iterator[str]:
    """What an expression asks for and the service never shows: a metric, a label, or a value of a label."""
    recorded = {rule["record"] for rule in rules() if "record" in rule}
    for name, matchers in _SELECTOR.findall(expression):
        if name in recorded:
            continue
        if name not in series():
            yield f"no metric {name}"
            continue
        for label, operator, value in _MATCHER.findall(matchers):
            if label in _GIVEN - {"le"} or value.startswith("$"):
                continue
            values = {one.get(label) for one in series()[name]} - {None}
            wanted = value.split("|") if operator in ("=~", "!~") else [value]
            yield from (f"{name} has no {label}={one}" for one in wanted if one not in values)
    yield from _unknown_groupings(expression)


def _unknown_groupings(expression: str) -> Iterator[str]:
    known = set(_GIVEN)
    for name, _ in _SELECTOR.findall(expression):
        known |= {label for labels in series().get(name, []) for label in labels}
    if any(other in expression for other in _OTHERS):
        known |= {"alertname", "severity", "alertstate"}
    for grouped in re.findall(r"\b(?:by|without|on|ignoring)\s*\(([^)]*)\)", expression):
        yield from (f"no label {one}" for one in re.findall(r"\w+", grouped) if one not in known)
