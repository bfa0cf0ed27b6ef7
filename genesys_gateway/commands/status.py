"""``status``: asks a running gateway whether the promise is kept and what is wrong.

Invariant: the token is sent to the given address only, over no proxy and no redirect, and is printed nowhere.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from ipaddress import ip_address
from pathlib import Path
from typing import Any

import orjson
import requests

from genesys_gateway.commands.output import DONE, NOT_DONE, UNUSABLE, counted, print_error, print_lines
from genesys_gateway.oversight.explanation import moment
from genesys_gateway.runtime.clock import SystemClock, parse_iso
from genesys_gateway.settings.environment import url as checked_url
from genesys_gateway.settings.rules import bind as checked_bind
from genesys_gateway.settings.secret import MAX_FILE_BYTES, one_word, role_tokens
from genesys_gateway.settings.text_file import read_text

_ADDRESS = "/ops/api/status"
#: Seconds for the connection, and between two pieces of the answer.
_SECONDS = 5.0
_DEFAULT_BIND = "127.0.0.1:8080"

_REFUSED = {
    401: "the token is unknown to this gateway.",
    403: "the token has not the role ops.",
    404: "it has no /ops/api/status: is it a gateway of this release?",
    503: "it is starting or ending, or has not read its database yet, so the promise can't be checked now; ask again"
    " soon.",
}


class CannotAsk(Exception):
    """The gateway can't be asked; the message says why."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Answer:
    text: str
    at: str
    promise: Mapping[str, int]
    backlog: int
    dead: int
    uncovered: int
    troubles: Sequence[Mapping[str, str]]


def status(url: str | None, token_file: Path | None, environ: Mapping[str, str], *, as_json: bool) -> int:
    """Print the promise in one line, then each trouble with its time and advice.

    Args:
        url: Address of the gateway; without it, the one of ``GATEWAY_BIND``.
        token_file: Holds a token of the role ops, or ``role:token`` pairs; without it, those of ``GATEWAY_TOKENS``.

    Returns:
        0 if there is no trouble, 1 if there is one, 2 if the gateway can't be asked.
    """
    try:
        answer = _ask(_target(url, environ), _token(token_file, environ), environ.get("GATEWAY_CA_BUNDLE"))
    except CannotAsk as error:
        return print_error(f"The gateway can't be asked: {error}", code=UNUSABLE)
    if as_json:
        print_lines(answer.text)
    else:
        _print(answer)
    return NOT_DONE if answer.troubles else DONE


def _target(url: str | None, environ: Mapping[str, str]) -> str:
    try:
        if url is not None:
            return checked_url(url).rstrip("/")
        bind = checked_bind(environ.get("GATEWAY_BIND") or _DEFAULT_BIND)
    except ValueError as error:
        raise CannotAsk(f"{'--url' if url is not None else 'GATEWAY_BIND'} {error}.") from None
    if bind.startswith("unix:"):
        raise CannotAsk("GATEWAY_BIND names a socket file; give --url.")
    host, _, port = bind.rpartition(":")
    return f"http://{_reachable(host)}:{port}"


def _reachable(host: str) -> str:
    """The host itself, or this machine's own if it stands for all of its addresses."""
    try:
        address = ip_address(host.strip("[]"))
    except ValueError:
        return host
    if not address.is_unspecified:
        return host
    return "127.0.0.1" if address.version == 4 else "[::1]"


def _token(token_file: Path | None, environ: Mapping[str, str]) -> str:
    source = token_file or (Path(environ["GATEWAY_TOKENS_FILE"]) if environ.get("GATEWAY_TOKENS_FILE") else None)
    if source is not None:
        try:
            text = read_text(source, MAX_FILE_BYTES).strip()
        except ValueError as error:
            raise CannotAsk(f"{source} {error}.") from None
    elif environ.get("GATEWAY_TOKENS"):
        text = environ["GATEWAY_TOKENS"]
    else:
        raise CannotAsk("give --token-file with a token of the role ops.")
    return _ops_token(text)


def _ops_token(text: str) -> str:
    try:
        if ":" not in text:
            return one_word(text)
        tokens = [token for role, token in role_tokens(text) if role == "ops"]
    except ValueError as error:
        raise CannotAsk(f"what should be a token of the role ops {error}.") from None
    if not tokens:
        raise CannotAsk("there is no token of the role ops among the role:token pairs.")
    return tokens[0]


def _ask(target: str, token: str, ca_bundle: str | None) -> _Answer:
    with requests.Session() as session:
        session.trust_env = False  # neither a proxy of the environment nor a password of .netrc
        try:
            reply = session.get(
                target + _ADDRESS,
                headers={"Authorization": f"Bearer {token}", "Accept": "application/json"},
                timeout=_SECONDS,
                allow_redirects=False,
                verify=ca_bundle or True,
            )
        except (requests.RequestException, OSError) as error:
            raise CannotAsk(f"{target} does not answer ({type(error).__name__}).") from None
    if reply.status_code != 200:
        why = _REFUSED.get(reply.status_code, "that is not an answer of a gateway.")
        raise CannotAsk(f"{target} answers {reply.status_code}: {why}")
    return _read(reply.text, target)


def _read(text: str, target: str) -> _Answer:
    try:
        said: dict[str, Any] = orjson.loads(text)
        return _Answer(
            text=text,
            at=str(said["at"]),
            promise={name: int(said["promise"][name]) for name in ("accepted", "followed", "closed", "unaccounted")},
            backlog=int(said["backlog"]),
            dead=int(said["dead"]),
            uncovered=int(said["uncovered"]),
            troubles=[
                {name: str(one[name]) for name in ("code", "since", "text", "advice")} for one in said["troubles"]
            ],
        )
    except (ValueError, KeyError, TypeError):
        raise CannotAsk(f"{target} answers something else than the status of a gateway.") from None


def _print(answer: _Answer) -> None:
    promise = answer.promise
    even = promise["accepted"] == promise["followed"] + promise["closed"]
    print_lines(
        f"The promise {_kept(answer)}: {promise['accepted']} accepted {'=' if even else '≠'} {promise['followed']}"
        f" followed + {promise['closed']} closed; {counted(answer.backlog, 'record')} waiting, {answer.dead} dead,"
        f" {counted(answer.uncovered, 'conversation')} uncovered."
    )
    if not answer.troubles:
        print_lines("No trouble.")
    for one in answer.troubles:
        print_lines("", f"{one['code']}, since {_since(one['since'])}", f"  {one['text']}", f"  {one['advice']}")


def _kept(answer: _Answer) -> str:
    if unaccounted := answer.promise["unaccounted"]:
        return f"is BROKEN ({unaccounted} unaccounted)"
    if any(one["code"] == "disk_refuses" for one in answer.troubles):
        return f"can't be checked now; read {_since(answer.at)}"
    return "is kept"


def _since(text: str) -> str:
    try:
        return moment(parse_iso(text), SystemClock().now())
    except ValueError:
        return text
