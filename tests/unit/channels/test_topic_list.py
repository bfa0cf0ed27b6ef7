"""The differences that are kept are those that would be computed."""

from hypothesis import given
from hypothesis import strategies as st

from genesys_gateway.channels.topic_list import TopicList

#: A change, and the conversations that it names.
CHANGES = st.lists(
    st.tuples(st.sampled_from(["want", "drop", "confirm", "removed", "read"]), st.lists(st.sampled_from("abcdef"))),
    max_size=30,
)


@given(CHANGES)
def test_after_any_changes_the_list_is_what_two_plain_sets_say(changes: list[tuple[str, list[str]]]) -> None:
    topics = TopicList()
    desired: dict[str, None] = {}
    confirmed: set[str] = set()
    for change, some in changes:
        match change:
            case "want":
                fresh = [one for one in some if one not in desired]
                assert topics.want(some) is bool(fresh)
                confirmed -= set(fresh)
                desired.update(dict.fromkeys(fresh))
            case "drop":
                for one in some:
                    assert topics.drop(one) is (one in desired)
                    desired.pop(one, None)
            case "confirm":
                topics.confirm(some)
                confirmed |= set(some)
            case "removed":
                topics.removed(some)
                confirmed -= set(some)
            case _:
                topics.read(some)
                confirmed = set(some)
        assert list(topics.desired) == list(desired)
        assert set(topics.confirmed) == confirmed
        assert set(topics.surplus) == confirmed - desired.keys()
        assert set(topics.absent) == desired.keys() - confirmed
        assert topics.size == len(confirmed | desired.keys())


def test_the_conversation_that_became_absent_first_is_the_first_of_the_absent_ones() -> None:
    topics = TopicList()
    topics.want("abc")
    topics.confirm("bac")
    topics.removed("b")
    topics.want("d")
    topics.removed("a")

    assert list(topics.absent) == ["b", "d", "a"]
    topics.read("c")
    assert list(topics.absent) == ["a", "b", "d"]
