"""From bytes to what is stored of them."""

import random

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mooring.mail import Arrival, message_date, message_id, part_id, thread_headers
from mooring.mail.records import (
    FUTURE_S,
    MAX_HEADER,
    attachment_id,
    content_context,
    content_json,
    prepare,
    raw_context,
    snippet_and_body,
)
from mooring.protocols.mime import parse, part
from mooring.vault import DataKey, VaultError

KEY = DataKey(bytes(range(32)))
NOW = 1_700_000_000

WITH_PARTS = (
    b"From: Ann <ann@example.test>, =?utf-8?q?no_address?=\r\nTo: bob@example.test\r\nMessage-ID: <1@example.test>\r\n"
    b"Subject: parts\r\nMIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n"
    b"--b\r\nContent-Type: text/html\r\n\r\n<p>Hi</p>\r\n"
    b"--b\r\nContent-Type: multipart/mixed; boundary=c\r\n\r\n"
    b"--c\r\nContent-Type: text/plain\r\nContent-Disposition: attachment; filename=a.txt\r\n\r\nfirst\r\n"
    b"--c\r\nContent-Type: image/png\r\nContent-Disposition: attachment; filename=b.png\r\n"
    b"Content-Transfer-Encoding: base64\r\n\r\niVBORw0KGgo=\r\n--c--\r\n--b--\r\n"
)


def dated(date: str) -> bytes:
    return f"Date: {date}\r\nSubject: x\r\n\r\nx".encode()


def arrival(raw: bytes, uid: int = 1, *flags: str, received_at: int = NOW) -> Arrival:
    return Arrival(uid, frozenset(flags), received_at, raw)


def test_everything_can_be_read_back_with_the_key() -> None:
    mails = [WITH_PARTS, b"", b"\x00\xff no headers", b"Subject: s\r\n\r\n" + b"long " * 10_000]
    batch = prepare("g", KEY, [arrival(raw, uid) for uid, raw in enumerate(mails, start=1)])
    assert [record.uid for record in batch.records] == [1, 2, 3, 4]
    end = 0
    for raw, record in zip(mails, batch.records, strict=True):
        assert (record.id, record.size, record.offset) == (message_id("g", raw), len(raw), end)
        sealed = batch.pack[record.offset : record.offset + record.length]
        assert KEY.unpack(sealed, raw_context(record.id)) == raw
        snippet, body = snippet_and_body(KEY.unpack(record.content, content_context(record.id)))
        assert (snippet, msgspec.json.decode(body)) == (parse(raw).snippet, parse(raw).body)
        end += record.length
    assert end == len(batch.pack)


def test_nothing_readable_is_in_a_pack_or_a_repr() -> None:
    secret = b"a-word-that-is-nowhere-to-be-found"
    batch = prepare("g", KEY, [arrival(b"Subject: s\r\n\r\n" + secret)])
    assert secret not in batch.pack + batch.records[0].content
    assert secret.decode() not in repr(batch) + repr(arrival(secret))


@given(st.text(), st.text())
def test_snippet_and_body_are_parted_where_they_were_joined(snippet: str, body: str) -> None:
    found, shown = snippet_and_body(content_json(snippet, body))
    assert (found, shown) == (snippet, msgspec.json.encode(body))


def test_a_body_that_was_sealed_alone_is_never_taken_for_content() -> None:
    identity = message_id("g", b"x")
    with pytest.raises(VaultError):
        KEY.unpack(KEY.pack(msgspec.json.encode("x"), b"body:" + identity.encode()), content_context(identity))


def test_attachments_are_found_again_by_their_ids() -> None:
    record = prepare("g", KEY, [arrival(WITH_PARTS)]).records[0]
    listed = msgspec.json.decode(record.attachments)
    assert [(a["filename"], a["content_type"]) for a in listed] == [("a.txt", "text/plain"), ("b.png", "image/png")]
    assert [part(WITH_PARTS, part_id(a["id"])).data for a in listed] == [b"first", b"\x89PNG\r\n\x1a\n"]
    assert [len(part(WITH_PARTS, part_id(a["id"])).data) for a in listed] == [a["size"] for a in listed]
    assert record.has_attachments


@pytest.mark.parametrize("path", ["1", "2.1", "10.2.33"])
def test_an_attachment_id_needs_no_quoting_and_holds_its_path(path: str) -> None:
    assert part_id(attachment_id(path)) == path
    assert set(attachment_id(path)) <= set("part-0123456789")


def test_addresses_are_json_without_what_has_no_address() -> None:
    record = prepare("g", KEY, [arrival(WITH_PARTS)]).records[0]
    senders = msgspec.json.decode(record.addresses[0])
    assert {"email": "ann@example.test", "name": "Ann"} in senders
    assert all(sender["email"] for sender in senders)
    assert msgspec.json.decode(record.addresses[2]) == []


@pytest.mark.parametrize(
    ("flags", "unread", "starred"),
    [((), True, False), (("\\Seen",), False, False), (("\\Flagged", "\\Seen"), False, True), (("seen",), True, False)],
)
def test_flags_say_unread_and_starred(flags: tuple[str, ...], unread: bool, starred: bool) -> None:
    record = prepare("g", KEY, [arrival(b"x", 1, *flags)]).records[0]
    assert (record.unread, record.starred) == (unread, starred)


@pytest.mark.parametrize(
    ("date", "received_at", "expected"),
    [
        ("Tue, 14 Nov 2023 22:13:20 +0000", NOW, NOW),
        ("Tue, 14 Nov 2023 23:13:20 +0100", NOW + 999, NOW),
        ("Mon, 13 Nov 2023 22:13:20 +0000", NOW, NOW - 86400),
        ("Tue, 14 Nov 2023 22:13:20 +0000", NOW - FUTURE_S, NOW),
        ("Tue, 14 Nov 2023 22:13:20 +0000", NOW - FUTURE_S - 1, NOW - FUTURE_S - 1),
        ("Fri, 31 Dec 9999 23:59:59 +0000", NOW, NOW),
        ("Thu, 01 Jan 1970 00:00:00 +0000", NOW, NOW),
        ("Mon, 01 Jan 1900 00:00:00 +0000", NOW, NOW),
        ("yesterday, about noon", NOW, NOW),
        ("", NOW, NOW),
        ("Tue, 14 Nov 2023 22:13:20 +0000", 0, NOW),
        ("", 0, 0),
    ],
)
def test_the_date_is_the_headers_unless_it_is_absurd(date: str, received_at: int, expected: int) -> None:
    assert message_date(parse(dated(date)), received_at) == expected
    assert prepare("g", KEY, [arrival(dated(date), received_at=received_at)]).records[0].date == expected


def test_the_newest_and_the_oldest_of_very_many_references_count() -> None:
    words = [f"{n}@example.test" for n in range(3000)]
    raw = b"References: " + b"\r\n ".join(f"<{w}>".encode() for w in words) + b"\r\nIn-Reply-To: <last@x>\r\n\r\n"
    found = thread_headers(parse(raw)).references
    assert (found[0], found[-1], len(found)) == (words[0], "last@x", 51)
    assert words[-1] in found


def test_in_reply_to_counts_once() -> None:
    raw = b"Message-ID: <c@x>\r\nReferences: <a@x> <b@x>\r\nIn-Reply-To: <b@x>\r\n\r\n"
    headers = thread_headers(parse(raw))
    assert (headers.own, headers.references) == ("c@x", ("a@x", "b@x"))


def test_a_message_id_of_any_script_fits_an_index() -> None:
    chance = random.Random(1)
    long = "".join(chr(chance.randrange(0x4E00, 0x9FFF)) for _ in range(3000))
    headers = thread_headers(parse(f"Message-ID: <{long}>\r\nReferences: <{long}>\r\n\r\n".encode()))
    for word in (headers.own, *headers.references):
        assert 0 < len(word.encode()) <= MAX_HEADER
        assert long.startswith(word)
