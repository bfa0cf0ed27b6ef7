"""The codes of troubles, and how each is put into words: one sentence with its figure, one with what to do.

Invariant: pure. Every code has a sentence that needs no figure but those of the whole service, and an entry in
docs/runbook.md, which its advice names.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from string import Formatter

from genesys_gateway.oversight.finding import Code, Finding
from genesys_gateway.oversight.status import Trouble

#: Figures of the whole service, which every sentence may name: see :class:`Wording`.
OF_THE_SERVICE = ("backlog", "followed", "accepted", "closed")


@dataclass(frozen=True, slots=True, kw_only=True)
class Wording:
    """How the findings of one code are put into words.

    A figure is named as ``{frames}``, or with the words after it as ``{frames:frame was|frames were}``, which gives
    ``1 frame was`` or ``1,200 frames were``.
    """

    sentence: str
    #: what to do, without the anchor
    advice: str
    #: figures of the sentence, with what they are if a finding does not tell them
    facts: Mapping[str, int | str]
    #: figures that are summed up over all instances; of other numbers the largest counts
    summed: frozenset[str] = frozenset()


#: In the order in which operators read them: the gravest first, a cause before what it causes.
WORDING: Mapping[Code, Wording] = {
    "unaccounted": Wording(
        sentence="{unaccounted:conversation or after-call work is|conversations or after-call works are} not accounted"
        " for, of {accepted} accepted, {followed} followed and {closed} closed.",
        advice="Keep the database and the log, and tell the developers, because this is a bug",
        facts={"unaccounted": 1},
    ),
    "disk_refuses": Wording(
        sentence="The database takes no commit ({error}), so registrations are answered with 503 and"
        " {spooled:frame waits|frames wait} in memory.",
        advice="Free space on the database's disk, or bring its server back; the gateway goes on by itself",
        facts={"error": "it can't be written", "spooled": 0},
        summed=frozenset({"spooled"}),
    ),
    "instance_lost": Wording(
        sentence="{lost:instance|instances} ended without leaving, and"
        " {orphans:conversation waits|conversations wait} for a living owner.",
        advice="Find out why the process ended, and start another in its place",
        facts={"lost": 1, "orphans": 0},
    ),
    "assertion_stale": Wording(
        sentence="There is no fresh SAML assertion for the next token ({error}), without which"
        " {followed:followed conversation loses its socket|followed conversations lose their sockets}.",
        advice="Put a fresh assertion where the gateway reads it, before the present token ends",
        facts={"error": "no fresh assertion"},
    ),
    "no_token": Wording(
        sentence="Genesys gives no token ({error}), so it can't be asked about"
        " {followed:followed conversation|followed conversations}, and no channel can be made.",
        advice="Check the OAuth client, its grant and the login host with the command check",
        facts={"error": "no answer"},
    ),
    "calls_exhausted": Wording(
        sentence="Genesys takes no call now, at the limit of {limit} a minute, and {waiting:call waits|calls wait}.",
        advice="Look for other programs that use the OAuth client, and at what the calls are made for",
        facts={"limit": 300, "waiting": 1},
        summed=frozenset({"waiting"}),
    ),
    "channels_full": Wording(
        sentence="{waiting:conversation waits|conversations wait} for a place, because {channels:channel is|channels"
        " are} full, and one more is kept for handovers.",
        advice="Look for other programs that use channels of the OAuth client, or raise GATEWAY_CHANNEL_BUDGET if"
        " Genesys allows more",
        facts={"waiting": 1, "channels": 19},
        summed=frozenset({"waiting", "lasting"}),
    ),
    "uncovered": Wording(
        sentence="No open socket covers {uncovered} of {followed:followed conversation|followed conversations}, and"
        " what ends meanwhile is found over REST afterwards.",
        advice="Look at the channels, and whether Genesys's notification service and the network to it work",
        facts={"uncovered": 1},
    ),
    "reads_forbidden": Wording(
        sentence="Genesys forbids us to read conversations ({error}), so"
        " {followed:conversation may stay followed until its deadline|conversations may stay followed until their"
        " deadlines}.",
        advice="Give the OAuth client the permissions that the command check names",
        facts={"error": "HTTP 403"},
    ),
    "receiver_misdeployed": Wording(
        sentence="CommunicationHistory answers every record alike with {error}, so none is delivered and"
        " {backlog:record waits|records wait}.",
        advice="Check COMMUNICATION_HISTORY_URL and COMMUNICATION_HISTORY_TOKEN with its owners",
        facts={"error": "HTTP 401"},
    ),
    "receiver_down": Wording(
        sentence="CommunicationHistory does not take records ({error}); {backlog:record waits|records wait} for it.",
        advice="Ask its owners whether it runs, and check the network between; delivery goes on by itself",
        facts={"error": "no answer"},
    ),
    "receiver_refuses": Wording(
        sentence="CommunicationHistory refused {refused:record|different records} in a row alike ({error}), so delivery"
        " is paused and {backlog:record waits|records wait}.",
        advice="Ask its owners what it has refused records for since then; delivery goes on by itself",
        facts={"refused": 10, "error": "HTTP 422"},
    ),
    "records_dead": Wording(
        sentence="{dead:record was given up, because of|records were given up, most often because of} {error}.",
        advice="Have the cause fixed where the records are sent to, then requeue them",
        facts={"dead": 1, "error": "an unknown error"},
    ),
    "frames_set_aside": Wording(
        sentence="{frames:frame was set aside in the last hour, because of|frames were set aside in the last hour, most"
        " often because of} {reason}.",
        advice="Ask BOFE about never_registered, and tell the developers about any other reason",
        facts={"frames": 1, "reason": "an unknown reason"},
    ),
    "unresolved": Wording(
        sentence="{unresolved:conversation was|conversations were} closed at the deadline without any record.",
        advice="Look at each on its page, which tells what was asked and answered, and compare it with Genesys",
        facts={"unresolved": 1},
    ),
}


class _Words(Formatter):
    def format_field(self, value: object, spec: str) -> str:
        number = f"{value:,}" if isinstance(value, int) else str(value)
        if not spec:
            return number
        one, _, many = spec.partition("|")
        return f"{number} {one if value == 1 else many}"


_WORDS = _Words()


def anchor(code: Code) -> str:
    """Where the runbook says what to do about a code."""
    return f"docs/runbook.md#{code}"


def trouble(finding: Finding, figures: Mapping[str, int | str]) -> Trouble:
    """Put a finding into words.

    Args:
        figures: Figures of the whole service, by the names in :data:`OF_THE_SERVICE`; a missing one counts as 0.
    """
    wording = WORDING[finding.code]
    facts = dict.fromkeys(OF_THE_SERVICE, 0) | dict(figures) | dict(wording.facts) | dict(finding.facts)
    return Trouble(
        code=finding.code,
        since=finding.since,
        text=_WORDS.vformat(wording.sentence, (), facts),
        advice=f"{wording.advice}, see {anchor(finding.code)}",
    )


def merged(findings: Iterable[Finding]) -> list[Finding]:
    """Make one finding of all that have the same code, in the order of :data:`WORDING`.

    It began when the first of them did, whose words it takes; numbers are summed up, or the largest counts.
    """
    found: dict[Code, Finding] = {}
    for one in sorted(findings, key=lambda one: (one.since, one.code, sorted(map(str, one.facts.items())))):
        before = found.get(one.code)
        found[one.code] = one if before is None else _joined(before, one)
    return [found[code] for code in WORDING if code in found]


def _joined(first: Finding, other: Finding) -> Finding:
    summed = WORDING[first.code].summed
    facts = dict(first.facts)
    for name, value in other.facts.items():
        known = facts.get(name)
        if isinstance(value, int) and isinstance(known, int):
            facts[name] = known + value if name in summed else max(known, value)
        else:
            facts.setdefault(name, value)
    return Finding(code=first.code, since=first.since, facts=facts)
