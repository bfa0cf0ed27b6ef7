"""The console page: forms work without JavaScript, and in a real browser the keyboard is enough to use it."""

from __future__ import annotations

from urllib.parse import unquote_plus

import requests

from tests.doubles.simulator import Simulated
from tests.harness.chromium import browser

pytest_plugins = ("simulator_fixture",)


def press(sim: Simulated, **form: str) -> requests.Response:
    return sim.http("POST", "/console/do", data=form, allow_redirects=False)


def said(reply: requests.Response) -> str:
    assert reply.status_code == 303
    return unquote_plus(reply.headers["Location"])


def test_a_call_is_played_to_its_end_with_plain_forms(sim: Simulated) -> None:
    press(sim, do="start", mediaType="VOICE", direction="INBOUND", ani="")
    (conversation,) = sim.sim("GET", "conversations")["conversations"]
    for play in ("transfer", "wrapup", "wrapup", "end"):
        assert "done for" in said(press(sim, do="play", play=play, conversation=conversation["conversationId"]))
    assert sim.sim("GET", "balance")["expected"] == 2
    page = sim.http("GET", "/").text
    assert conversation["conversationId"] in page
    assert "wrapped up" in page


def test_channels_faults_receiver_clock_and_all_have_their_buttons(sim: Simulated) -> None:
    channel, opened = sim.listening()
    press(sim, do="channel", deed="close+notice", channel=channel["id"])
    assert opened.receive()["topicName"] == "v2.system.socket_closing"
    press(sim, do="fault", name="no_pong", seconds="60")
    (fault,) = sim.sim("GET", "faults")["on"]
    press(sim, do="fault-off", id=str(fault["id"]))
    assert sim.sim("GET", "faults")["on"] == []
    press(sim, do="receiver", mode="down")
    assert sim.sim("GET", "history/mode")["mode"] == "down"
    press(sim, do="speed", speed="60")
    assert sim.sim("GET", "clock")["speed"] == 60
    press(sim, do="reset")
    assert sim.sim("GET", "clock")["speed"] == 1


def test_traffic_is_played_and_stopped_with_plain_forms(sim: Simulated) -> None:
    assert "Finished</dt>" not in sim.http("GET", "/").text
    fields = {"perMinute": "6.5", "seconds": "", "talkSeconds": "60", "standing": "3", "notify": "127.0.0.1:1"}
    assert "Traffic begins." in said(press(sim, do="traffic", **fields))

    played = sim.sim("GET", "traffic")
    assert played["playing"] is True
    chosen = [played["plan"][name] for name in ("perMinute", "seconds", "talkSeconds", "standing", "notify")]
    assert chosen == [6.5, None, 60, 3, "http://127.0.0.1:1"]
    assert "Not done: traffic is played already" in said(press(sim, do="traffic", perMinute="1"))

    assert "Finished</dt>" in sim.http("GET", "/").text
    assert "still end" in said(press(sim, do="traffic-off"))
    assert sim.sim("GET", "traffic")["playing"] is False


def test_what_can_not_be_done_is_said(sim: Simulated) -> None:
    for form in (
        {"do": "nonsense"},
        {"do": "play", "play": "end", "conversation": "x"},
        {"do": "speed", "speed": "7"},
        {"do": "traffic", "perMinute": "many"},
        {"do": "traffic", "notify": "ftp://127.0.0.1"},
    ):
        assert "Not done" in said(press(sim, **form))


def test_another_site_can_not_press_buttons(sim: Simulated) -> None:
    reply = sim.http("POST", "/console/do", data={"do": "reset"}, headers={"Sec-Fetch-Site": "cross-site"})
    assert reply.status_code == 403


def test_names_are_shown_as_text(sim: Simulated) -> None:
    sim.call(agent={"userId": "11111111-1111-4111-8111-111111111111", "name": "<script>alert(1)</script>"})
    page = sim.http("GET", "/", params={"said": "<b>hello"})
    assert "<script>alert" not in page.text
    assert "<b>hello" not in page.text
    assert "default-src 'self'" in page.headers["Content-Security-Policy"]


def test_nothing_on_the_page_comes_from_elsewhere(sim: Simulated) -> None:
    for path in ("/", "/console/live", "/console/console.css", "/console/console.js"):
        reply = sim.http("GET", path)
        assert reply.status_code == 200
        assert "//" not in reply.text.replace("// Avoids", "").replace("// Keyboard", "")
    assert sim.http("GET", "/console/secrets.txt").status_code == 404
    assert sim.http("PUT", "/").status_code == 405


def test_in_a_browser_the_keyboard_is_enough_and_the_page_is_live(sim: Simulated) -> None:
    with browser() as page:
        page.go(f"{sim.url}/")
        page.tab_to("Start a call")
        page.press("Enter")
        page.wait_for("document.querySelectorAll('#live tbody').length === 1")
        page.tab_to("Wrap up")
        page.press("Enter")
        page.wait_for("document.querySelector('#live').innerText.includes('wrapped up')")
        assert "done for" in page.ask("document.getElementById('said').textContent")
        assert sim.sim("GET", "balance")["expected"] == 1

        other = sim.call()  # started elsewhere: the page has to notice it by itself
        page.wait_for(f"document.querySelector('#live').innerText.includes('{other['conversationId']}')")
        assert page.complaints == []


def test_in_a_browser_traffic_is_played_watched_and_stopped(sim: Simulated) -> None:
    with browser() as page:
        page.go(f"{sim.url}/")
        page.ask("document.querySelector('[name=standing]').value = 40")
        page.tab_to("Play")
        page.press("Enter")
        page.wait_for("/Talking\\s+(39|40|41)/.test(document.querySelector('#live').innerText)")
        page.tab_to("Stop")
        page.press("Enter")
        page.wait_for("document.querySelector('#live').innerText.includes('No more conversations begin.')")
        assert sim.sim("GET", "traffic")["playing"] is False
        assert page.complaints == []


def test_in_a_browser_the_focus_survives_a_change_of_the_table(sim: Simulated) -> None:
    sim.call()
    with browser() as page:
        page.go(f"{sim.url}/")
        page.tab_to("Consult")
        key = page.ask("document.activeElement.dataset.key")
        other = sim.call()
        page.wait_for(f"document.querySelector('#live').innerText.includes('{other['conversationId']}')")
        assert page.ask("document.activeElement.dataset.key") == key
