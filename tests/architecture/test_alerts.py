"""The alerts look at series that exist, do what their tests say, and each leads to an entry of the runbook."""

import re
import shutil
import subprocess
from typing import Any

import pytest
import yaml

from genesys_gateway.runtime.metrics import words
from tests.architecture.monitoring import ALERTS, PROMETHEUS, TESTS, mistakes, rules
from tests.architecture.sources import PROJECT
from tests.harness.required import skip_or_fail

RUNBOOK = (PROJECT / "docs" / "runbook.md").read_text()
ENTRIES = set(re.findall(r"^###? (\w+)$", RUNBOOK, re.MULTILINE))


def alerts() -> list[dict[str, Any]]:
    return [rule for rule in rules() if "alert" in rule]


def codes_of(expression: str) -> set[str]:
    """The codes of troubles that an expression names."""
    named = re.findall(r'code=~?"([^"]*)"', expression)
    return {code for codes in named for code in codes.split("|")}


def test_each_alert_asks_for_series_that_exist() -> None:
    assert {rule.get("alert") or rule["record"]: list(mistakes(rule["expr"])) for rule in rules()} == {
        rule.get("alert") or rule["record"]: [] for rule in rules()
    }


def test_a_metric_a_label_and_a_value_that_do_not_exist_are_noticed() -> None:
    wrong = 'sum by (colour) (genesys_gateway_nothing) + genesys_gateway_trouble{code=~"uncovered|odd"}'

    assert list(mistakes(wrong)) == [
        "no metric genesys_gateway_nothing",
        "genesys_gateway_trouble has no code=odd",
        "no label colour",
    ]


@pytest.mark.parametrize("alert", alerts(), ids=lambda alert: alert["alert"])
def test_each_alert_says_how_bad_it_is_what_it_means_and_where_to_read_on(alert: dict[str, Any]) -> None:
    file, _, place = alert["annotations"]["runbook"].partition("#")
    entries = codes_of(alert["expr"]) if "{{ $labels.code }}" in place else {place}

    assert alert["labels"]["severity"] in {"critical", "warning", "info"}
    assert set(alert["annotations"]) == {"summary", "description", "runbook"}
    assert re.fullmatch(r"[A-Z].*[^.]", alert["annotations"]["summary"])
    assert alert["annotations"]["description"].endswith(".")
    assert file == "docs/runbook.md"
    assert entries
    assert entries <= ENTRIES


def test_every_trouble_has_an_alert() -> None:
    own = {alert["annotations"]["runbook"].partition("#")[2] for alert in alerts()}
    named = {code for alert in alerts() for code in codes_of(alert["expr"])}

    assert set(words.TROUBLES) - named - own == set()


def test_every_trouble_has_an_entry_of_the_runbook() -> None:
    assert set(words.TROUBLES) - ENTRIES == set()


def test_every_entry_of_the_runbook_without_a_code_has_an_alert() -> None:
    own = {alert["annotations"]["runbook"].partition("#")[2] for alert in alerts()}

    assert ENTRIES - set(words.TROUBLES) - own == set()


def test_every_alert_is_tested_to_fire() -> None:
    tested = {
        test["alertname"]
        for case in yaml.safe_load(TESTS.read_text())["tests"]
        for test in case["alert_rule_test"]
        if test["exp_alerts"]
    }

    assert {alert["alert"] for alert in alerts()} - tested == set()


def promtool(*arguments: str) -> str:
    program = shutil.which("promtool")
    if program is None:
        skip_or_fail("promtool is not installed; Debian's package prometheus has it", "PROMTOOL")
    done = subprocess.run([program, *arguments], cwd=PROMETHEUS, capture_output=True, text=True, timeout=600)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_prometheus_takes_the_rules() -> None:
    assert f"{len(rules())} rules found" in promtool("check", "rules", "--lint=all", "--lint-fatal", ALERTS.name)


def test_the_alerts_fire_when_they_should_and_only_then() -> None:
    assert "SUCCESS" in promtool("test", "rules", TESTS.name)
