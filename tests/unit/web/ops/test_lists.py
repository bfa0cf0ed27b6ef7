"""What do the pages of conversations, records and dead letters show, to whom, and what do they refuse?"""

import re
from html import unescape
from uuid import UUID

import pytest
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from app import create_app
from genesys_gateway.runtime.clock import isoformat
from tests.doubles import stored_rows as stored
from tests.doubles.operated import a_status
from tests.doubles.stored_rows import CONVERSATION, OTHER_CONVERSATION, PERSONAL
from tests.doubles.web import BOFE_TOKEN, OPS_TOKEN, FakeGateway, bearer

RECORD = "97f2f1c4-8d1e-5c1b-9b53-5d1c2f0c7a11"
OTHER_RECORD = "97f2f1c4-8d1e-5c1b-9b53-5d1c2f0c7a12"
NOWHERE = "00000000-0000-4000-8000-000000000000"
BROWSER = {"Accept": "text/html"}
OPS = bearer(OPS_TOKEN) | BROWSER
PAGES = (
    *("", "conversations", f"conversations/{CONVERSATION}", "records", f"records/{RECORD}", "dead-letters", "runbook"),
    *("sections", "stream"),
)
POSTS = (f"records/{RECORD}/reveal", f"records/{RECORD}/requeue", "dead-letters/requeue")


def get(client: FlaskClient, address: str) -> TestResponse:
    return client.get(f"/ops/{address}", headers=OPS)


def post(client: FlaskClient, address: str, **fields: str) -> TestResponse:
    return client.post(f"/ops/{address}", headers=OPS, data=fields)


@pytest.fixture
def client(gateway: FakeGateway) -> FlaskClient:
    """The client of a gateway with two conversations, one of them with a dead record, one with a waiting one."""
    conversations = (
        stored.conversation_row(CONVERSATION),
        stored.open_row(OTHER_CONVERSATION, created_at=stored.NOW),
    )
    records = (
        stored.dead_row(RECORD, CONVERSATION),
        stored.pending_row(OTHER_RECORD, OTHER_CONVERSATION, stored_at=stored.NOW),
    )
    gateway.storage.uncounted(lambda c: stored.put_conversations(c, *conversations))
    gateway.storage.uncounted(lambda c: stored.put_entries(c, *records))
    return create_app(gateway).test_client()


@pytest.mark.parametrize("address", PAGES)
def test_only_operators_see_pages(client: FlaskClient, address: str) -> None:
    def status(headers: dict[str, str]) -> int:
        with client.get(f"/ops/{address}", headers=headers) as answer:
            return answer.status_code

    for_programs = address in ("sections", "stream")
    assert status(BROWSER) == (401 if for_programs else 303)
    assert status({}) == 401
    assert status(bearer("x") | BROWSER) == (401 if for_programs else 303)
    assert status(bearer(BOFE_TOKEN) | BROWSER) == 403
    assert status(OPS) == 200


@pytest.mark.parametrize("address", POSTS)
def test_a_session_acts_only_with_the_word_of_its_page(client: FlaskClient, address: str) -> None:
    client.post("/ops/login", data={"token": OPS_TOKEN})

    assert client.post(f"/ops/{address}", headers=BROWSER).status_code == 403
    page = client.get("/ops/dead-letters", headers=BROWSER).text
    (word,) = set(re.findall(r'name="csrf" value="([^"]+)"', page))
    assert client.post(f"/ops/{address}", headers=BROWSER, data={"csrf": word}).status_code in (200, 303)


def test_conversations_are_found_by_their_beginning_and_state(client: FlaskClient) -> None:
    both = get(client, "conversations?q=&state=").text
    assert both.index(OTHER_CONVERSATION) < both.index(CONVERSATION)

    closed = get(client, "conversations?state=closed").text
    assert CONVERSATION in closed
    assert OTHER_CONVERSATION not in closed
    assert CONVERSATION in get(client, f"conversations?q={CONVERSATION[:9].upper()}").text
    assert "No conversation matches." in get(client, "conversations?q=ffffffff").text


def test_a_whole_id_leads_to_its_conversation(client: FlaskClient) -> None:
    answer = get(client, f"conversations?q={CONVERSATION.upper()}")
    assert (answer.status_code, answer.location) == (303, f"/ops/conversations/{CONVERSATION}")
    assert "No conversation and no record has this id." in get(client, f"conversations?q={NOWHERE}").text


@pytest.mark.parametrize("page", ["conversations", "records"])
@pytest.mark.parametrize("id_", [CONVERSATION, RECORD])
def test_a_whole_id_leads_to_what_has_it_from_either_list(client: FlaskClient, page: str, id_: str) -> None:
    answer = get(client, f"{page}?q=%20{id_.upper()}%20")
    kind = "records" if id_ == RECORD else "conversations"
    assert (answer.status_code, answer.location) == (303, f"/ops/{kind}/{id_}")


def test_a_record_is_found_by_its_whole_id_only(client: FlaskClient) -> None:
    part, nowhere = get(client, f"records?q={RECORD[:8]}"), get(client, f"records?q={NOWHERE}")
    assert (part.status_code, nowhere.status_code) == (422, 200)
    assert "Give a whole record id" in part.text
    assert "No record" not in part.text
    assert "No record and no conversation has this id." in nowhere.text


def test_unresolved_conversations_are_listed_alone(client: FlaskClient, gateway: FakeGateway) -> None:
    unresolved = [
        stored.conversation_row(str(UUID(int=n)), outcome="unresolved", created_at=n, erased_at=None if n < 55 else n)
        for n in range(1, 61)
    ]
    gateway.storage.uncounted(lambda c: stored.put_conversations(c, *unresolved))

    first = get(client, "conversations?outcome=unresolved").text
    (older,) = re.findall(r'rel="next" href="/ops/([^"]+)"', first)
    assert "outcome=unresolved" in older
    shown = re.findall(r'<a href="/ops/conversations/([0-9a-f-]+)"', first + get(client, unescape(older)).text)
    assert shown == [str(UUID(int=n)) for n in range(54, 0, -1)]
    assert 'value="unresolved" checked' in first
    assert "No conversation matches." in get(client, "conversations?outcome=unresolved&state=pending").text
    assert str(UUID(int=9)) in get(client, "conversations?outcome=unresolved&state=closed&q=0").text
    cursor = older.partition("cursor=")[2]
    assert get(client, f"conversations?cursor={cursor}").status_code == 422


def test_a_list_says_when_records_were_stored_and_when_it_was_read(client: FlaskClient) -> None:
    for page in ("records", "dead-letters"):
        text = get(client, page).text
        assert f'<time datetime="{isoformat(stored.NOW - stored.DAY)}">' in text
        assert "As of <time" in text


def test_a_record_says_what_happened_to_it_and_when(client: FlaskClient, gateway: FakeGateway) -> None:
    lines = ((stored.NOW + 1000, "dead", f"{RECORD} x"), (stored.NOW + 2000, "requeued", f"{RECORD} by ops 1a2b"))
    again = (stored.NOW + 3000, "dead", f"{RECORD} x")
    gateway.storage.uncounted(lambda c: stored.put_timeline(c, CONVERSATION, *lines, again))

    facts = re.sub(r"<time datetime=\"([^\"]+)\">[^<]*</time>", r"\1", get(client, f"records/{RECORD}").text)

    assert f"<dt>Stored</dt><dd>{isoformat(stored.NOW - stored.DAY)}</dd>" in facts
    assert f"<dt>Given up</dt><dd>{isoformat(stored.NOW + 3000)}</dd>" in facts
    assert f"<dt>Requeued</dt><dd>{isoformat(stored.NOW + 2000)}, by ops 1a2b</dd>" in facts
    assert "<dt>Delivered</dt>" not in facts


def test_a_closed_conversation_says_when_it_is_asked_about_once_more(client: FlaskClient, gateway: FakeGateway) -> None:
    later = stored.conversation_row(NOWHERE, last_look_at=stored.NOW + 10**11)
    gateway.storage.uncounted(lambda c: stored.put_conversations(c, later))
    assert re.search(r"in \d+ days, the last one", get(client, "conversations?state=closed").text)


def test_what_begins_no_id_is_explained_beside_the_field(client: FlaskClient) -> None:
    answer = get(client, 'conversations?q="><script>')
    assert answer.status_code == 422
    assert "hexadecimal digits" in answer.text
    assert 'value="&#34;&gt;&lt;script&gt;"' in answer.text


@pytest.mark.parametrize(
    "address",
    [
        "conversations?state=open",
        "conversations?cursor=x",
        "conversations?outcome=logged",
        "records?state=x",
        "dead-letters?cursor=x",
    ],
)
def test_other_filters_are_refused_on_a_page(client: FlaskClient, address: str) -> None:
    answer = get(client, address)
    assert (answer.status_code, answer.mimetype) == (422, "text/html")


@pytest.mark.parametrize("address", [f"conversations/{NOWHERE}", f"records/{NOWHERE}", "nothing", "static/nothing"])
def test_what_is_not_there_is_told_on_a_page(client: FlaskClient, address: str) -> None:
    answer = get(client, address)
    assert (answer.status_code, answer.mimetype) == (404, "text/html")


def test_a_list_leads_to_its_next_page_and_back(client: FlaskClient, gateway: FakeGateway) -> None:
    rows = [stored.open_row(str(UUID(int=n)), created_at=n) for n in range(1, 61)]
    gateway.storage.uncounted(lambda c: stored.put_conversations(c, *rows))

    first = get(client, "conversations").text
    assert ">Newest<" not in first
    (older,) = re.findall(r'rel="next" href="/ops/([^"]+)"', first)
    second = get(client, older.replace("&amp;", "&")).text
    assert '<a href="/ops/conversations?">Newest</a>' in second
    assert "rel=" not in second.partition("<main")[2]

    shown = re.findall(r'<a href="/ops/conversations/([0-9a-f-]+)"', first + second)
    assert len(shown) == len(set(shown)) == 62


def test_a_conversation_is_explained(client: FlaskClient) -> None:
    text = get(client, f"conversations/{CONVERSATION}").text
    assert "Paired with a customer." in text
    assert RECORD in text


def test_a_record_that_was_given_up_is_the_first_that_is_said_of_its_conversation(
    client: FlaskClient, gateway: FakeGateway
) -> None:
    lines = ((stored.NOW, "dead", f"{RECORD} refused"), (stored.NOW, "amended", OTHER_RECORD))
    gateway.storage.uncounted(lambda c: stored.put_timeline(c, CONVERSATION, *lines))
    link = f'<a class="id" href="/ops/records/{RECORD}">{RECORD}</a>'

    text = get(client, f"conversations/{CONVERSATION}").text

    assert text.index("A record was given up.") < text.index(link) < text.index("How it stands")
    assert f"(command: dead-letters requeue {link})" in text
    assert f"Given up: record {link}: refused" in text
    assert f"record <code>{OTHER_RECORD}</code>" in text
    assert "given up" not in get(client, f"conversations/{OTHER_CONVERSATION}").text


def test_a_record_is_masked_until_it_is_revealed(client: FlaskClient) -> None:
    masked, revealed = get(client, f"records/{RECORD}"), post(client, f"records/{RECORD}/reveal")

    *secret, _customer = PERSONAL
    assert [one for one in secret if one in masked.text] == []
    assert [one for one in secret if one not in revealed.text] == []
    assert revealed.headers["Cache-Control"] == "no-store"
    assert "Its personal content was shown to an operator" in get(client, f"conversations/{CONVERSATION}").text


def test_a_dead_record_is_requeued_and_no_other(client: FlaskClient, gateway: FakeGateway) -> None:
    answer = post(client, f"records/{RECORD}/requeue")
    assert (answer.status_code, answer.location) == (303, f"/ops/records/{RECORD}?requeued=1")
    assert gateway.requeued == 1
    requeued = get(client, f"records/{RECORD}?requeued=1").text
    assert re.search("Requeued at <time[^>]*>[^<]* UTC</time>. It is pending now.", requeued)
    assert "looked up before it is sent" in requeued
    assert "Requeued at" not in get(client, f"records/{OTHER_RECORD}?requeued=1").text

    again = post(client, f"records/{RECORD}/requeue")
    assert again.status_code == 409
    assert "could not be requeued" in again.text


def test_all_that_are_dead_alike_are_requeued(client: FlaskClient, gateway: FakeGateway) -> None:
    page = get(client, "dead-letters").text
    (reason,) = re.findall(r'name="reason" value="([^"]+)"', page)

    answer = post(client, "dead-letters/requeue", reason=reason)

    assert answer.status_code == 303
    assert re.fullmatch("/ops/dead-letters\\?requeued=1&at=[0-9]{13}", answer.location)
    assert gateway.requeued == 1
    shown = get(client, answer.location.removeprefix("/ops/")).text
    assert re.search("1 record requeued at <time[^>]*>[^<]* UTC</time>.", shown)
    assert "Nothing was given up." in shown
    for made_up in ("requeued=<b>&at=1", "requeued=1", "requeued=1&at=x", f"requeued=1&at={10**14}", "at=1"):
        assert "requeued at" not in get(client, f"dead-letters?{made_up}").text


def test_who_requeues_many_is_warned_that_delivery_may_pause(client: FlaskClient, gateway: FakeGateway) -> None:
    warning = "after ten refusals in a row delivery pauses"
    assert warning not in get(client, "dead-letters").text

    gateway.storage.uncounted(lambda c: stored.put_entries(c, stored.dead_row(NOWHERE, CONVERSATION)))

    text = get(client, "dead-letters").text
    assert warning in text
    assert 'href="#found"' in text
    assert 'id="found"' in text


def test_while_the_database_refuses_a_page_says_so(client: FlaskClient, gateway: FakeGateway) -> None:
    gateway.storage.refuse(1)
    answer = get(client, "conversations")
    assert (answer.status_code, answer.mimetype) == (503, "text/html")


def test_files_are_served_to_everybody_and_kept_as_long_as_they_stay_the_same(client: FlaskClient) -> None:
    page = client.get("/ops/login").text
    for address in re.findall(r'(?:href|src)="(/ops/static/[^"]+)"', page):
        answer = client.get(address)
        assert answer.status_code == 200
        assert answer.headers["Cache-Control"] == "max-age=86400"
    assert client.get("/ops/static/ops.css").headers["Cache-Control"] == "no-cache"


def test_while_the_gateway_starts_the_overview_says_what_is_wrong_or_is_not_there_yet(
    client: FlaskClient, gateway: FakeGateway
) -> None:
    gateway.serving = False
    assert get(client, "").status_code == 503

    gateway.watching.latest = a_status("disk_refuses")
    assert "The promise can't be checked now." in get(client, "").text
