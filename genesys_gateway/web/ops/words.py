"""Writes times, durations and numbers for people, and gives each trouble and each error a title.

Invariant: pure. Every time is written in UTC, and its element carries it for programs, too.
"""

import re
from collections.abc import Iterable, Mapping

from markupsafe import Markup, escape

from genesys_gateway.runtime.clock import isoformat, parse_iso

_DAY_MS = 86_400_000
_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
_ISO = re.compile(r"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z)")
#: A command after these words, and the name of a setting.
_AS_CODE = re.compile(r"((?<=the command )[a-z-]+|\b[A-Z]+(?:_[A-Z]+)+\b)")
_UNITS = (("days", 86_400), ("h", 3600), ("min", 60))


#: Each trouble in a few words, by its code.
TITLES = {
    "receiver_down": "CommunicationHistory does not take records",
    "receiver_misdeployed": "CommunicationHistory's address or token is wrong",
    "receiver_refuses": "CommunicationHistory refuses one record after the other",
    "records_dead": "Records were given up",
    "no_token": "Genesys gives no token",
    "assertion_stale": "No fresh SAML assertion",
    "uncovered": "Conversations without an open socket",
    "channels_full": "All channels are full",
    "calls_exhausted": "Genesys takes no more calls",
    "reads_forbidden": "Genesys forbids reading conversations",
    "disk_refuses": "The database can't be written",
    "unresolved": "Conversations closed without a record",
    "unaccounted": "Conversations are not accounted for",
    "frames_set_aside": "Frames were set aside",
    "instance_lost": "An instance has ended without leaving",
}

#: What the state of a channel, an instance, a conversation or a record says, and its tone: good, busy, bad or neutral.
TONES = {
    **dict.fromkeys(("open", "running", "subscribed", "delivered", "logged"), "good"),
    **dict.fromkeys(("connecting", "closing", "waiting", "draining", "pending"), "busy"),
    **dict.fromkeys(("gone", "lost", "dead", "unresolved"), "bad"),
}

#: What went wrong, by status: a title, and a sentence where the interface's own one speaks to programs.
PROBLEMS: Mapping[int, tuple[str, str | None]] = {
    400: ("The form could not be read", "Load its page again, and repeat what you did."),
    401: ("You are not logged in", "Log in, then open this address again."),
    403: ("This is not allowed", None),
    404: ("Nothing is here", None),
    405: ("This address has no page", "Only a button leads here. What it showed or did is not shown a second time."),
    408: ("The form came too slowly", "Load its page again, and repeat what you did."),
    413: ("The form is too large", "Load its page again, and repeat what you did."),
    415: ("The form could not be read", "Load its page again, and repeat what you did."),
    422: ("The address is mistyped", "Nothing can be found with it."),
    429: ("Too many pages at once", "Your token was used too often within a minute. Wait for some seconds."),
    500: ("Something unexpected went wrong", "It was written into the log. If it happens again, tell the developers."),
    503: ("This can't be shown or done now", "Usually the database does not answer. What was accepted is kept."),
}
#: The form of a page that was opened in an earlier session.
OLD_PAGE = "The page is older than your session. Load it again, then repeat what you did."

_ID_MISTYPED = "It has 36 characters, hexadecimal digits and dashes, as in 3e2c5b9a-6f0e-4b1d-8c7a-5d9e0f1a2b3c."
_MISTAKES = {
    "interactionId": f"The interaction id is wrong. {_ID_MISTYPED}",
    "recordId": f"The record id is wrong. {_ID_MISTYPED}",
    "cursor": "Its cursor is wrong, or belongs to another list or other filters. Open the list anew.",
}


def title(code: str) -> str:
    """A trouble in a few words; one that this version does not know by its code."""
    return TITLES.get(code) or code.replace("_", " ").capitalize()


def problem(status: int) -> tuple[str | None, str | None]:
    """What went wrong for people: a title and a sentence, each None where that of the interface is good enough."""
    return PROBLEMS.get(status, (None, None))


def mistake(field: str, messages: Iterable[str]) -> str:
    """What is wrong with a part of an address."""
    return _MISTAKES.get(field) or f"{field}: {' '.join(messages)}"


def tone(state: str) -> str:
    """How a state is coloured; its word is always written beside the colour."""
    return TONES.get(state, "neutral")


def count(number: float) -> str:
    """A whole number with its thousands apart."""
    return f"{round(number):,}"


def counted(number: int, one: str, many: str | None = None) -> str:
    """A number with what is counted: ``1 record``, ``2 records``."""
    return f"{count(number)} {one if number == 1 else many or f'{one}s'}"


def duration(milliseconds: float) -> str:
    """A time span in its largest unit of which there are at least two: ``95 s``, ``12 min``, ``30 h``."""
    seconds = max(0, int(milliseconds // 1000))
    for unit, size in _UNITS:
        if seconds >= 2 * size:
            return f"{seconds // size} {unit}"
    return f"{seconds} s"


def seconds(value: float) -> str:
    """A duration in a chart: ``80 ms``, ``1.5 s``, ``4 min``, ``2 h``."""
    if value < 1:
        return f"{value * 1000:.0f} ms"
    for unit, size in (("h", 3600), ("min", 60), ("s", 1)):
        if value >= size:
            shown = value / size
            return f"{shown:.0f} {unit}" if shown >= 10 or shown == int(shown) else f"{shown:.1f} {unit}"
    return f"{value:.0f} s"


def moment(at: int | None, now: int | None = None) -> Markup:
    """A time in UTC as an element; with its day when that is not today's, or when ``now`` is not given."""
    if at is None:
        return Markup("—")
    whole = isoformat(at)
    day = f"{int(whole[8:10])} {_MONTHS[int(whole[5:7]) - 1]}"
    if now is None or at // _DAY_MS != now // _DAY_MS:
        year = "" if now is not None and whole[:4] == isoformat(now)[:4] else f" {whole[:4]}"
        text = f"{day}{year}, {whole[11:19]} UTC"
    else:
        text = f"{whole[11:19]} UTC"
    return Markup('<time datetime="{}">{}</time>').format(whole, text)


def told(sentence: str, now: int) -> Markup:
    """A sentence with its times as :func:`moment` writes them."""
    pieces = _ISO.split(sentence)
    return Markup("").join(moment(parse_iso(one), now) if n % 2 else escape(one) for n, one in enumerate(pieces))


def distance(at: int | None, now: int) -> str:
    """How far a time is from now: ``in 2 h``, ``12 s ago``."""
    if at is None:
        return "—"
    return f"in {duration(at - now)}" if at > now else f"{duration(now - at)} ago"


def linked(advice: str, code: str) -> Markup:
    """An advice whose anchor of the runbook is a link to that entry; commands and settings in it are set as code."""
    before, anchor, after = advice.partition(f"docs/runbook.md#{code}")
    link = Markup('<a href="/ops/runbook#{}">the runbook</a>').format(code) if anchor else ""
    return Markup("{}{}{}").format(_with_code(before), link, _with_code(after))


def _with_code(text: str) -> Markup:
    pieces = _AS_CODE.split(text)
    return Markup("").join(
        Markup("<code>{}</code>").format(one) if n % 2 else escape(one) for n, one in enumerate(pieces)
    )
