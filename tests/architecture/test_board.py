"""The Grafana board is well formed, and each of its panels asks for series that exist.

Grafana itself can't be had here (Debian has no package of it). So the board is checked against a schema, written down
below from Grafana's own models (its foundation SDK for version 10.1, which took every field of the panels).
"""

import json
import re
from collections.abc import Iterator
from itertools import combinations
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml

from tests.architecture.monitoring import mistakes, rules
from tests.architecture.sources import PROJECT
from tests.architecture.test_alerts import promtool

BOARD: dict[str, Any] = json.loads((PROJECT / "deploy" / "grafana" / "dashboard.json").read_text())
PANELS: list[dict[str, Any]] = BOARD["panels"]

_TEXT = {"type": "string"}
_WORDS = {"type": "string", "pattern": r"\S"}
_FLAG = {"type": "boolean"}
_ANYTHING = {"type": "object"}


def _object(needed: dict[str, Any], **optional: Any) -> dict[str, Any]:
    """Exactly these fields; those of ``optional`` may be missing."""
    return {
        "type": "object",
        "properties": needed | optional,
        "required": list(needed),
        "additionalProperties": False,
    }


def _list(item: dict[str, Any]) -> dict[str, Any]:
    return {"type": "array", "items": item}


_SOURCE = _object({"type": {"const": "prometheus"}, "uid": {"const": "${datasource}"}})
_POSITION = _object(
    {
        "x": {"type": "integer", "minimum": 0, "maximum": 23},
        "y": {"type": "integer", "minimum": 0},
        "w": {"type": "integer", "minimum": 1, "maximum": 24},
        "h": {"type": "integer", "minimum": 1, "maximum": 20},
    }
)
_TARGET = _object(
    {
        "refId": {"type": "string", "pattern": "^[A-Z]$"},
        "datasource": _SOURCE,
        "editorMode": {"const": "code"},
        "expr": _WORDS,
        "legendFormat": _WORDS,
        "range": _FLAG,
        "instant": _FLAG,
    },
    format={"enum": ["time_series", "heatmap", "table"]},
)
_STEP = _object({"color": _WORDS, "value": {"type": ["number", "null"]}})
_RESULT = _object({"text": _WORDS, "color": _WORDS, "index": {"type": "integer"}})
_MAPPING = {
    "oneOf": [
        _object({"type": {"const": "value"}, "options": {"type": "object", "additionalProperties": _RESULT}}),
        _object(
            {
                "type": {"const": "range"},
                "options": _object({"from": {"type": "number"}, "to": {"type": ["number", "null"]}, "result": _RESULT}),
            }
        ),
    ]
}
_DEFAULTS = _object(
    {},
    unit={"enum": ["short", "s", "reqps", "cps", "percentunit", "bytes"]},
    min={"type": "number"},
    max={"type": "number"},
    decimals={"type": "integer"},
    noValue=_TEXT,
    color=_object({"mode": {"enum": ["thresholds", "palette-classic", "fixed"]}}, fixedColor=_WORDS),
    thresholds=_object({"mode": {"const": "absolute"}, "steps": {**_list(_STEP), "minItems": 1}}),
    mappings=_list(_MAPPING),
    custom=_ANYTHING,
)
_OVERRIDE = _object(
    {
        "matcher": _object({"id": {"enum": ["byName", "byRegexp"]}, "options": _WORDS}),
        "properties": _list(_object({"id": _WORDS, "value": {}})),
    }
)
_PANEL = {
    "oneOf": [
        _object(
            {
                "id": {"type": "integer", "minimum": 1},
                "type": {"const": "row"},
                "title": _WORDS,
                "collapsed": {"const": False},
                "gridPos": _POSITION,
                "panels": {"type": "array", "maxItems": 0},
            }
        ),
        _object(
            {
                "id": {"type": "integer", "minimum": 1},
                "type": {"const": "alertlist"},
                "title": _WORDS,
                "description": _WORDS,
                "gridPos": _POSITION,
                "options": _ANYTHING,
            }
        ),
        _object(
            {
                "id": {"type": "integer", "minimum": 1},
                "type": {"enum": ["stat", "timeseries", "state-timeline", "heatmap"]},
                "title": _WORDS,
                "description": _WORDS,
                "datasource": _SOURCE,
                "gridPos": _POSITION,
                "targets": {**_list(_TARGET), "minItems": 1},
                "fieldConfig": _object({"defaults": _DEFAULTS, "overrides": _list(_OVERRIDE)}),
                "options": _ANYTHING,
            }
        ),
    ]
}
_VARIABLE = _object(
    {
        "name": _WORDS,
        "label": _WORDS,
        "type": {"enum": ["datasource", "query"]},
        "query": {"anyOf": [_WORDS, _object({"query": _WORDS, "refId": _WORDS})]},
        "regex": _TEXT,
        "refresh": {"enum": [1, 2]},
        "multi": _FLAG,
        "includeAll": _FLAG,
        "hide": {"const": 0},
        "skipUrlSync": _FLAG,
        "options": {"type": "array", "maxItems": 0},
        "current": _ANYTHING,
    },
    datasource=_SOURCE,
    definition=_WORDS,
    sort={"type": "integer"},
    allValue={"type": ["string", "null"]},
)
_ANNOTATION = _object(
    {
        "name": _WORDS,
        "datasource": _SOURCE,
        "enable": _FLAG,
        "hide": _FLAG,
        "iconColor": _WORDS,
        "expr": _WORDS,
        "titleFormat": _WORDS,
        "textFormat": _WORDS,
        "step": _WORDS,
    }
)
SCHEMA = _object(
    {
        "uid": {"type": "string", "pattern": "^[a-z-]{1,40}$"},
        "title": _WORDS,
        "description": _WORDS,
        "tags": _list(_WORDS),
        "schemaVersion": {"type": "integer", "minimum": 36},
        "version": {"type": "integer"},
        "editable": _FLAG,
        "graphTooltip": {"enum": [0, 1, 2]},
        "timezone": {"const": "browser"},
        "refresh": {"type": "string", "pattern": "^[0-9]+[sm]$"},
        "time": _object({"from": _WORDS, "to": _WORDS}),
        "timepicker": _ANYTHING,
        "fiscalYearStartMonth": {"type": "integer"},
        "weekStart": _TEXT,
        "liveNow": _FLAG,
        "links": {"type": "array"},
        "templating": _object({"list": _list(_VARIABLE)}),
        "annotations": _object({"list": _list(_ANNOTATION)}),
        "panels": _list(_PANEL),
    }
)


def expressions() -> Iterator[tuple[str, str]]:
    """Where each expression stands, and what it is without Grafana's variables."""
    for panel in PANELS:
        for target in panel.get("targets", ()):
            yield f"{panel['title']} {target['refId']}", target["expr"]
    for one in BOARD["annotations"]["list"]:
        yield one["name"], one["expr"]


def test_the_board_follows_the_schema() -> None:
    jsonschema.Draft202012Validator.check_schema(SCHEMA)

    errors = [
        f"{error.json_path}: {error.message[:200]}"
        for error in jsonschema.Draft202012Validator(SCHEMA).iter_errors(BOARD)
    ]

    assert errors == []


def test_panels_have_numbers_and_titles_of_their_own() -> None:
    assert len({panel["id"] for panel in PANELS}) == len(PANELS)
    assert len({panel["title"] for panel in PANELS}) == len(PANELS)
    for panel in PANELS:
        letters = [target["refId"] for target in panel.get("targets", ())]
        assert letters == sorted(set(letters)), panel["title"]


def test_no_panel_lies_on_another_or_beyond_the_edge() -> None:
    places = [panel["gridPos"] | {"title": panel["title"]} for panel in PANELS]

    assert [one["title"] for one in places if one["x"] + one["w"] > 24] == []
    overlaps = [(one["title"], other["title"]) for one, other in combinations(places, 2) if _overlap(one, other)]
    assert overlaps == []


def test_each_row_is_full() -> None:
    for panel in PANELS:
        place = panel["gridPos"]
        beside = [other["gridPos"]["w"] for other in PANELS if other["gridPos"]["y"] == place["y"]]
        assert sum(beside) == 24, panel["title"]


def test_each_panel_asks_for_series_that_exist() -> None:
    assert {where: found for where, expr in expressions() if (found := list(mistakes(expr)))} == {}


def test_each_panel_is_about_the_chosen_job() -> None:
    recorded = {rule["record"] for rule in rules() if "record" in rule}
    for where, expression in expressions():
        for name, selector in re.findall(r"\b((?:genesys_gateway|process)[\w:]+)(\{[^}]*\})?", expression):
            assert 'job="$job"' in selector, f"{where}: {name}"
            assert ":" not in name or name in recorded, f"{where}: {name}"


@pytest.mark.parametrize("name", ["job", "instance"])
def test_the_choices_are_read_from_a_series_that_exists(name: str) -> None:
    variable = next(one for one in BOARD["templating"]["list"] if one["name"] == name)

    assert list(mistakes(variable["query"]["query"])) == []


def test_prometheus_can_read_each_expression(tmp_path: Path) -> None:
    known = {"$__rate_interval": "1m", "$instance": ".*", "$job": "genesys-gateway"}
    recorded = []
    for number, (_, expression) in enumerate(expressions()):
        plain = re.sub(r"\$\w+", lambda variable: known[variable[0]], expression)
        recorded.append({"record": f"panel:{number}", "expr": plain})
    file = tmp_path / "board.yml"
    file.write_text(yaml.safe_dump({"groups": [{"name": "board", "rules": recorded}]}))

    assert f"{len(recorded)} rules found" in promtool("check", "rules", str(file))


def _overlap(one: dict[str, int], other: dict[str, int]) -> bool:
    return (
        one["x"] < other["x"] + other["w"]
        and other["x"] < one["x"] + one["w"]
        and one["y"] < other["y"] + other["h"]
        and other["y"] < one["y"] + one["h"]
    )
