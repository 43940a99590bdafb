"""What is the same message, and what is one thread."""

from itertools import combinations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mooring.ids import digest_id
from mooring.mail import assign_threads, folder_id, message_id
from mooring.mail.identity import ThreadHeaders

Batch = list[tuple[str, ThreadHeaders]]

NAMES = ["a", "b", "c", "d", "e", "f"]


def letter(own: str, *references: str, identity: str = "") -> tuple[str, ThreadHeaders]:
    return identity or f"id-{own}", ThreadHeaders(own, references)


#: a conversation whose mails name all their ancestors, as RFC 5322 §3.6.4 asks
CONVERSATION = [
    letter("a"),
    letter("b", "a"),
    letter("c", "a", "b"),
    letter("d", "a", "b"),
    letter("e", "a", "b", "c"),
]


def assigned(*batches: Batch, known: dict[str, str] | None = None) -> dict[str, str]:
    """Threads by message, after these batches one after the other."""
    links, threads = dict(known or {}), dict[str, str]()
    for batch in batches:
        found, new = assign_threads("g", batch, {w: t for w, t in links.items() if w in words_of(batch)})
        assert not new.keys() & links.keys()
        assert not found.keys() & threads.keys()
        links |= new
        threads |= found
    return threads


def words_of(batch: Batch) -> set[str]:
    return {word for _, headers in batch for word in (headers.own, *headers.references) if word}


def test_a_message_is_its_content() -> None:
    one = b"Message-ID: <1@a>\r\n\r\nhello"
    assert message_id("g", one) == message_id("g", bytes(one))
    assert message_id("g", one) != message_id("h", one)
    assert len(message_id("g", one)) == 24


@given(st.lists(st.binary(max_size=60), min_size=2, max_size=6, unique=True))
def test_different_bytes_are_different_messages_whatever_their_message_id(bodies: list[bytes]) -> None:
    mails = [b"Message-ID: <same@example.test>\r\n\r\n" + body for body in bodies]
    for one, other in combinations(mails, 2):
        assert message_id("g", one) != message_id("g", other)


def test_a_folder_is_its_name_and_the_inbox_is_called_in_any_case() -> None:
    assert folder_id("g", b"Inbox") == folder_id("g", b"INBOX") == folder_id("g", b"inbox")
    assert folder_id("g", b"Sent") != folder_id("g", b"SENT")
    assert folder_id("g", b"INBOX") != folder_id("h", b"INBOX")
    assert folder_id("g", b"INBOX") != message_id("g", b"INBOX")


@given(st.permutations(CONVERSATION), st.data())
def test_a_conversation_is_one_thread_in_any_order_and_any_batches(order: Batch, data: st.DataObject) -> None:
    cut = data.draw(st.integers(0, len(order)))
    threads = assigned(order[:cut], order[cut:])
    assert set(threads.values()) == {digest_id("g", "thread", "a")}
    assert threads.keys() == {identity for identity, _ in CONVERSATION}


mails = st.lists(
    st.builds(
        lambda own, references, number: letter(own, *references, identity=f"m{number}"),
        st.sampled_from(["", *NAMES]),
        st.lists(st.sampled_from(NAMES), max_size=4),
        st.integers(0, 10**6),
    ),
    max_size=12,
    unique_by=lambda mail: mail[0],
)


@given(mails, st.data())
def test_batches_make_no_difference_and_an_id_once_given_stays(batch: Batch, data: st.DataObject) -> None:
    cut = data.draw(st.integers(0, len(batch)))
    at_once = assigned(batch)
    assert assigned(batch[:cut], batch[cut:]) == at_once
    assert assigned(*([one] for one in batch)) == at_once
    assert assigned(batch[:cut]).items() <= at_once.items()


@given(mails)
def test_only_what_is_connected_is_in_one_thread(batch: Batch) -> None:
    groups: list[tuple[set[str], set[str]]] = []
    for identity, headers in batch:
        words, members = {w for w in (headers.own, *headers.references) if w}, {identity}
        for group in [g for g in groups if g[0] & words]:
            groups.remove(group)
            words, members = words | group[0], members | group[1]
        groups.append((words, members))
    of = {identity: index for index, (_, members) in enumerate(groups) for identity in members}
    threads = assigned(batch)
    for (one, thread), (other, another) in combinations(threads.items(), 2):
        assert thread != another or of[one] == of[other]


def test_a_reply_before_its_parent_keeps_its_thread_and_the_parent_joins_it() -> None:
    threads = assigned([letter("c", "b")], [letter("a")], [letter("b", "a")])
    assert threads["id-c"] == threads["id-b"] == digest_id("g", "thread", "b")
    assert threads["id-a"] == digest_id("g", "thread", "a")


def test_what_is_known_decides() -> None:
    threads, links = assign_threads("g", [letter("x", "seen")], {"seen": "t"})
    assert threads == {"id-x": "t"}
    assert links == {"x": "t"}


@pytest.mark.parametrize("own", ["", "x"])
def test_a_mail_without_relatives_is_a_thread_of_its_own(own: str) -> None:
    threads = assigned([letter(own, identity="1"), letter("y", identity="2")])
    assert len(set(threads.values())) == 2


def test_mails_without_any_header_do_not_meet() -> None:
    threads = assigned([letter("", identity="1"), letter("", identity="2")])
    assert len(set(threads.values())) == 2
