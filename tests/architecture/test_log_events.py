"""The document of log events says a sentence about each, and what belongs to an event has one name."""

from tests.architecture import log_events


def test_each_event_has_a_sentence() -> None:
    said = log_events.sentences()

    assert [name for name, sentence in said.items() if not sentence.endswith(".")] == []
    assert said.keys() >= log_events.events().keys()


def test_an_event_has_the_same_ids_everywhere() -> None:
    logged = log_events.events()
    ours = ("conversation_id", "record_id", "channel_id", "conv", "interaction", "entry")

    assert [name for name, event in logged.items() if event.fields.intersection(ours)] == []
    with_record = {one: event.fields for one, event in logged.items() if "record" in event.fields}
    assert [name for name, fields in with_record.items() if "conversation" not in fields] == []
