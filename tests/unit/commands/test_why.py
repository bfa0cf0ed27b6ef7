"""``why``: what it prints of a conversation, in lines and in JSON."""

from tests.doubles.terminal import CONVERSATION, RECORD, SECOND, UNKNOWN, Terminal


def test_why_explains_state_records_and_timeline(full: Terminal) -> None:
    result = full.type("why", CONVERSATION.upper())

    assert result.exit_code == 0
    assert f"Interaction {CONVERSATION}" in result.stdout
    assert "as logged: there is at least one record" in result.stdout
    assert f"{RECORD} (dead, live)\n    Given up after 1 attempt: refused with HTTP 422" in result.stdout


def test_why_in_json_says_the_same_with_dates(full: Terminal) -> None:
    found = full.json("why", CONVERSATION)

    assert (found["interactionId"], found["state"], found["outcome"], found["paired"]) == (
        CONVERSATION,
        "closed",
        "logged",
        True,
    )
    assert found["closedAt"] == "2025-11-22T10:00:00.000Z"
    assert set(found["explanation"]) == {"state", "coverage", "owner", "customer", "awaited"}
    (first, second) = sorted(found["records"], key=lambda one: one["state"])
    assert (first["id"], first["reason"], first["lastError"]) == (RECORD, "refused with HTTP 422", "HTTP 422")
    assert first["text"].startswith("Given up after 1 attempt")
    assert (second["id"], second["deliveredAt"]) == (SECOND, "2025-11-22T10:00:00.000Z")
    assert found["timeline"] == []


def test_why_of_an_unregistered_conversation_is_code_1(full: Terminal) -> None:
    result = full.type("why", UNKNOWN)

    assert (result.exit_code, result.stdout) == (1, "")
    assert result.stderr == f"{UNKNOWN} was never registered.\n"
