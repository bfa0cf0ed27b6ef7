"""Writes docs/settings.md: every setting with its default, what may be given, and its meaning."""

from collections.abc import Callable, Mapping
from dataclasses import fields
from typing import Any

from genesys_gateway.settings import Settings, environment, rules, variable
from genesys_gateway.settings.fields import REQUIRED
from genesys_gateway.settings.meanings import MEANINGS, REGION
from genesys_gateway.settings.secret import Secret, one_word

_HEAD = """# Settings

All settings are environment variables. This page is made from the code by `make references`; do not edit it.

`genesys-gateway check` tests them. If one is wrong, the gateway does not start: it ends with exit code 2 and one
message that names every wrong setting, never its value. At the start it warns about a variable that begins like
ours but is not in these tables. SIGHUP reads the files anew that settings name; another value of a variable needs a
restart.

**Secrets.** Where `…_FILE` is named, a secret `X` can be given as `X_FILE`, which names a file that contains it;
the gateway reads the file again every 60 seconds and after a 401. The file is UTF-8 text; a byte order mark, CRLF,
and blanks or line breaks around the secret do no harm. A file in UTF-16 (PowerShell's `>` writes it), a directory
or a named pipe is reported as such.

**Seconds** may have a fraction, and are above 0 and at most a year. An empty variable counts as not set.
"""
_TABLE = "| name | default | may be | meaning |\n| --- | --- | --- | --- |\n"

#: What may be given, by the function that reads it.
_KINDS: Mapping[Callable[..., object], str] = {
    environment.url: "URL",
    environment.address: "URL",
    environment.text: "text",
    environment.file: "path of a file",
    environment.ca_file: "path of a file",
    environment.host: "host name",
    environment.host_ports: "`host` or `host:port`, comma separated",
    one_word: "word",
    Secret: "secret, or `…_FILE`",
    rules.database_url: "URL, or `…_FILE`",
    rules.bind: "`host:port` or `unix:/path`",
    rules.country: "two letters",
    rules.domains: "JSON object",
    rules.email: "e-mail address",
    rules.plain_http_hosts: "host names, comma separated",
    rules.proxy: "`http://host:port`",
    rules.traces_endpoint: "URL",
    rules.words: "words, comma separated",
}


def page() -> str:
    """The page as Markdown."""
    known: dict[str, Mapping[str, Any]] = {
        variable(one.name): one.metadata for one in fields(Settings) if "read" in one.metadata
    }
    known[REGION] = {"default": None, "kind": environment.host}
    rows = {name: _row(name, known[name]["default"], known[name]["kind"]) for name in known}
    return _HEAD + "".join(_section(title, names, rows) for title, names in MEANINGS.items())


def _section(title: str, meanings: Mapping[str, str], rows: Mapping[str, str]) -> str:
    lines = (rows[name] + f" {meaning} |\n" for name, meaning in meanings.items())
    return f"\n## {title}\n\n{_TABLE}{''.join(lines)}"


def _row(name: str, default: object, kind: Any) -> str:
    if isinstance(kind, tuple):
        kind = ", ".join(f"`{choice}`" for choice in kind)
    elif not isinstance(kind, str):
        kind = _KINDS[kind]
    return f"| `{name}` |{_default(default)} | {kind} |"


def _default(default: object) -> str:
    if default is REQUIRED:
        return " **needed**"
    if default is None or default == "":
        return ""
    return f" {default}" if isinstance(default, int | float) else f" `{default}`"
