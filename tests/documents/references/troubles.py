"""Writes docs/troubles.md: the code of each trouble, which alert tells of it, what it says and what to do."""

import re
from collections import defaultdict
from collections.abc import Mapping
from pathlib import Path
from typing import Any, get_args

import yaml

from genesys_gateway.oversight.codes import WORDING, trouble
from genesys_gateway.oversight.finding import Code, Finding
from tests.documents.references.layout import cell, table

_HEAD = """# Trouble codes

What the dashboard, `genesys-gateway status`, the log (`trouble_began`, `trouble_ended`), `GET /ops/api/status` and the
metric `genesys_gateway_trouble{code}` call what is wrong. This page is made from the code and the alerts by
`make references`; do not edit it.

The order is that in which operators read them: the gravest first, a cause before what it causes. Figures are examples.
Each code leads to its entry in the [runbook](runbook.md), which says what it means, where to look and when it ends.

"""
#: Figures of the examples.
_FIGURES = {"accepted": 19_420, "followed": 4_112, "closed": 15_308, "backlog": 136}


def page(rules: Path) -> str:
    """The page as Markdown, with the alerts of this file."""
    alerts = _alerts(rules)
    rows = ([f"[`{code}`](runbook.md#{code})", alerts[code], *_words(code)] for code in WORDING)
    assert set(WORDING) == set(get_args(Code))
    return _HEAD + table("code", "alert", "it says", "what to do", rows=rows)


def _words(code: Code) -> tuple[str, str]:
    said = trouble(Finding(code=code, since=0), _FIGURES)
    return cell(said.text), f"{cell(WORDING[code].advice)}."


def _alerts(rules: Path) -> Mapping[str, str]:
    """By code: the alerts that lead to its entry, each with its severity."""
    found: dict[str, list[str]] = defaultdict(list)
    for group in yaml.safe_load(rules.read_text())["groups"]:
        for rule in group["rules"]:
            for code in _codes(rule):
                found[code].append(f"`{rule['alert']}` ({rule['labels']['severity']})")
    return {code: ", ".join(alerts) for code, alerts in found.items()}


def _codes(rule: Mapping[str, Any]) -> list[str]:
    if "alert" not in rule:
        return []
    anchor = rule["annotations"]["runbook"].partition("#")[2]
    if anchor in WORDING:
        return [anchor]
    named = re.search(r'code=~"([\w|]+)"', rule["expr"])
    return named[1].split("|") if named else []
