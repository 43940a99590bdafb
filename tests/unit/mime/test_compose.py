"""What is written can be read back, gives nothing away, and takes no orders."""

import base64
import re
from dataclasses import replace
from datetime import UTC, datetime
from email import message_from_bytes
from email.message import Message
from email.policy import default
from email.utils import unquote
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mooring.errors import InvalidRequest
from mooring.large import WINDOW
from mooring.protocols.mime import (
    Address,
    Outgoing,
    OutgoingAttachment,
    compose,
    headers,
    parse,
    part,
    recipients,
)

JANE = Address("Jane", "jane@example.com")
BOB = Address("Bob", "bob@example.org")
WHEN = datetime(2026, 3, 1, 12, 30, tzinfo=UTC)


def draft(**changes: Any) -> Outgoing:
    return replace(Outgoing(from_=[JANE], to=[BOB], message_id="m1@example.com", date=WHEN), **changes)


# Text as a caller may send it: anything but what would end a header line.
header_text = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\r\n\0"), max_size=120)
body_text = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\r\0"), max_size=400)


def folded(text: str) -> str:
    return " ".join(text.split())


@given(subject=header_text, name=header_text, body=body_text, filename=header_text, content=st.binary(max_size=300))
def test_a_composed_message_reads_back(subject, name, body, filename, content):
    attachment = OutgoingAttachment(filename, "application/pdf", content)
    to = [Address(name, "bob@example.org")]
    raw = compose(draft(subject=subject, to=to, body=body, is_plaintext=True, attachments=[attachment]))
    message = parse(raw)
    assert message.subject == subject.strip()
    assert message.to == [Address(folded(name), "bob@example.org")]
    assert message.body.replace("\r\n", "\n") == body
    assert message.is_plain
    assert part(raw, message.attachments[0].part_id).data == content
    assert message.defects == []
    assert raw.isascii()


@given(body=body_text)
def test_an_html_body_reads_back_with_a_plain_alternative(body):
    raw = compose(draft(body=f"<p>x{body}</p>"))
    message = parse(raw)
    assert message.body.replace("\r\n", "\n") == f"<p>x{body}</p>"
    assert not message.is_plain
    alternative = message_from_bytes(raw, policy=default)
    assert [leaf.get_content_type() for leaf in alternative.walk()] == [
        "multipart/alternative",
        "text/plain",
        "text/html",
    ]


@given(filename=st.text(st.characters(exclude_categories=["Cs", "Cc"]), min_size=1, max_size=90))
def test_a_filename_reads_back_in_the_standard_library_too(filename):
    raw = compose(draft(attachments=[OutgoingAttachment(filename, "image/png", b"x")], body="b", is_plaintext=True))
    found = list(message_from_bytes(raw, _class=Message).walk())[-1]
    # The standard library takes the brackets of a name that stands in them for quotes.
    assert (found.get_filename() or "").strip() in {filename.strip(), unquote(filename).strip()}
    last = filename.replace("\\", "/").rpartition("/")[2].strip()
    assert parse(raw).attachments[0].filename == (last if last.strip(". ") else "attachment-2.png")


@given(st.builds(draft, subject=header_text, body=body_text, custom_headers=st.just([("X-Long", "word " * 300)])))
def test_lines_are_short_and_end_with_crlf(one):
    raw = compose(one)
    assert b"\n" not in raw.replace(b"\r\n", b"")
    assert b"\r" not in raw.replace(b"\r\n", b"")
    assert max(map(len, raw.split(b"\r\n"))) <= 998


@pytest.mark.parametrize(
    "line",
    ["From bob, with love \r\n", "x", "ü", "語", "<p>Grüße</p>\r", ". ", "tab\t\n", " = "],
)
@pytest.mark.parametrize("shift", range(3))
def test_a_text_of_many_windows_reads_back(line: str, shift: int):
    body = "y" * shift + line * (2 * WINDOW // len(line.encode())) + "."
    raw = compose(draft(body=body, is_plaintext=True))
    standard: Any = message_from_bytes(raw).get_payload(decode=True)
    wanted = body.replace("\r\n", "\n").replace("\r", "\n")
    assert standard.decode().replace("\r\n", "\n") == wanted
    assert parse(raw).body.replace("\r\n", "\n") == wanted
    assert max(map(len, raw.split(b"\r\n"))) <= 78
    assert b"\r\nFrom " not in raw.partition(b"\r\n\r\n")[2]


@pytest.mark.parametrize("size", [0, 1, 56, 57, 58, 57 * 4096 - 1, 57 * 4096, 57 * 4096 + 1, 1_000_000])
def test_an_attachment_of_any_size_stands_in_lines_of_base64(size: int):
    content = (bytes(range(256)) * 4000)[:size]
    raw = compose(draft(attachments=[OutgoingAttachment("a", "image/png", content)], body="b", is_plaintext=True))
    _, _, rest = raw.partition(b'filename="a"\r\n\r\n')
    written, _, _ = rest.partition(b"\r\n--")
    assert written == base64.encodebytes(content).replace(b"\n", b"\r\n")
    assert part(raw, parse(raw).attachments[0].part_id).data == content


@pytest.mark.parametrize(
    ("content", "as_it_is"),
    [
        (b"a: b\r\n\r\n" + b"line\r\n" * WINDOW, True),
        (b"a: b\r\n\r\n" + b"line\r\n" * WINDOW + b"no end", True),
        (b"a: b\r\n\r\n" + b"line\r\n" * WINDOW + b"\xff\r\n", False),
        (b"a: b\r\n\r\n" + b"line\r\n" * WINDOW + b"\x00" + b"line\r\n" * WINDOW, False),
        (b"a: b\r\n\r\n" + b"line\r\n" * WINDOW + b"x" * 999 + b"\r\n" + b"line\r\n" * WINDOW, False),
        (b"a: b\r\n\r\n" + b"x" * 2 * WINDOW, False),
        (b"a: b\n\n" + b"line\n" * WINDOW, False),
    ],
)
def test_a_large_message_is_attached_as_it_is_only_where_it_can_be(content: bytes, as_it_is: bool):
    raw = compose(draft(attachments=[OutgoingAttachment("a.eml", "message/rfc822", content)], body="b"))
    assert (content in raw) == as_it_is
    assert (b"Content-Type: message/rfc822" in raw) == as_it_is


def test_the_same_draft_gives_the_same_bytes():
    one = draft(body="<p>Hi</p>", attachments=[OutgoingAttachment("a.txt", "text/plain", b"a")])
    assert compose(one) == compose(one)
    assert compose(one) != compose(draft(body="<p>Hi</p>", message_id="m2@example.com", attachments=one.attachments))


def test_bcc_is_in_the_envelope_and_nowhere_else():
    secret = Address("Secret", "secret@example.net")
    one = draft(bcc=[secret])
    assert recipients(one).addresses == ["bob@example.org", "secret@example.net"]
    raw = compose(one)
    assert b"ecret" not in raw
    assert b"bcc" not in raw.lower()


def test_only_bcc_names_nobody():
    raw = compose(draft(to=[], bcc=[BOB]))
    assert ("To", "undisclosed-recipients:;") in headers(raw)
    assert parse(raw).to == []


def test_structure_of_a_full_message():
    logo = OutgoingAttachment("logo.png", "image/png", b"PNG", content_id="logo", is_inline=True)
    raw = compose(
        draft(
            body='<p>Hello</p><img src="cid:logo">',
            attachments=[logo, OutgoingAttachment("a.pdf", "application/pdf", b"PDF")],
            reply_to=[Address("", "reply@example.com")],
            cc=[Address("Ünï, Cödé", "cc@example.com")],
            in_reply_to="<parent@example.com>",
            references=["root@example.com", "<parent@example.com>"],
            custom_headers=[("X-Campaign", "grün")],
        )
    )
    types = [leaf.get_content_type() for leaf in message_from_bytes(raw).walk()]
    assert types == [
        "multipart/mixed",
        "multipart/alternative",
        "text/plain",
        "multipart/related",
        "text/html",
        "image/png",
        "application/pdf",
    ]
    message = parse(raw)
    assert [(one.part_id, one.filename, one.content_id, one.is_inline) for one in message.attachments] == [
        ("1.2.2", "logo.png", "logo", True),
        ("2", "a.pdf", "", False),
    ]
    assert message.message_id == "m1@example.com"
    assert message.in_reply_to == "parent@example.com"
    assert message.references == ["root@example.com", "parent@example.com"]
    assert message.cc == [Address("Ünï, Cödé", "cc@example.com")]
    assert message.reply_to == [Address("", "reply@example.com")]
    assert message.date == int(WHEN.timestamp())
    assert ("X-Campaign", "grün") in headers(raw)


def test_an_attached_message_stands_as_it_is_or_is_a_file():
    inner = compose(draft(subject="inner", body="x", is_plaintext=True))
    raw = compose(
        draft(
            attachments=[
                OutgoingAttachment("inner.eml", "message/rfc822", inner),
                OutgoingAttachment("eight.eml", "message/rfc822", b"Subject: \xff\r\n\r\n"),
            ]
        )
    )
    one, other = parse(raw).attachments
    assert (one.content_type, part(raw, one.part_id).data) == ("message/rfc822", inner)
    assert (other.content_type, part(raw, other.part_id).data) == (
        "application/octet-stream",
        b"Subject: \xff\r\n\r\n",
    )


def test_from_at_the_start_of_a_line_survives_mbox_files():
    raw = compose(draft(body="From here\nFrom there", is_plaintext=True))
    assert not re.search(rb"^From ", raw, re.MULTILINE)
    assert parse(raw).body == "From here\r\nFrom there"


INJECTIONS = [
    ("subject", {"subject": "x\r\nBcc: evil@example.com"}),
    ("subject", {"subject": "x\ny"}),
    ("to", {"to": [Address("x\r\nBcc: evil@example.com", "bob@example.org")]}),
    ("to", {"to": [Address("", "bob@example.org\r\nBcc: evil@example.com")]}),
    ("to", {"to": [Address("", "bob@example.org>, <evil@example.com")]}),
    ("cc", {"cc": [Address("x\ry", "bob@example.org")]}),
    ("from", {"from_": [Address("a\nb", "a@example.com")]}),
    ("reply_to", {"reply_to": [Address("a\nb", "a@example.com")]}),
    ("message_id", {"message_id": "a@b\r\nX: y"}),
    ("message_id", {"message_id": "a b@c"}),
    ("in_reply_to", {"in_reply_to": "a@b\r\nX: y"}),
    ("references", {"references": ["a@b", "c\nd@e"]}),
    ("custom_headers", {"custom_headers": [("X-A", "b\r\nBcc: evil@example.com")]}),
    ("custom_headers", {"custom_headers": [("X-A\r\nBcc", "b")]}),
    ("custom_headers", {"custom_headers": [("X A", "b")]}),
    ("custom_headers", {"custom_headers": [("Bcc", "evil@example.com")]}),
    ("custom_headers", {"custom_headers": [("Content-Type", "text/html")]}),
    ("attachments.filename", {"attachments": [OutgoingAttachment('a"\r\nX: y', "image/png", b"")]}),
    ("attachments.content_type", {"attachments": [OutgoingAttachment("a", "image/png\r\nX: y", b"")]}),
    ("attachments.content_id", {"attachments": [OutgoingAttachment("a", "image/png", b"", "c\r\nX: y")]}),
    ("attachments.content_id", {"attachments": [OutgoingAttachment("a", "image/png", b"", "c> <d")]}),
]


@pytest.mark.parametrize(("named", "changes"), INJECTIONS)
def test_no_value_can_begin_a_new_header(named, changes):
    with pytest.raises(InvalidRequest) as raised:
        compose(draft(**changes))
    assert raised.value.message.startswith(named)


@pytest.mark.parametrize(
    ("email", "written", "utf8"),
    [
        ("bob@example.org", "bob@example.org", False),
        ("b+tag.x@example.org", "b+tag.x@example.org", False),
        ("bob@bücher.example", "bob@xn--bcher-kva.example", False),
        ("jürgen@example.org", "jürgen@example.org", True),
        ("bob@[127.0.0.1]", "bob@[127.0.0.1]", False),
        ("root@localhost", "root@localhost", False),
    ],
)
def test_addresses_that_can_be_reached(email, written, utf8):
    found = recipients(draft(to=[Address("", email)]))
    assert (found.addresses, found.needs_smtputf8) == ([written], utf8)


@pytest.mark.parametrize(
    "email",
    [
        *("", "bob", "@example.org", "bob@", "a@b@c", "a b@c", "a@b c", "a@b..c", "a@.b", "a@-b", "a\0@b"),
        *("a@b\u00a0", "a,b@c", "\ud800@b", "x" * 250 + "@example.org"),
    ],
)
def test_addresses_that_cannot(email):
    with pytest.raises(InvalidRequest, match=r"^to: "):
        recipients(draft(to=[Address("", email)]))


def test_everybody_is_told_once():
    one = draft(to=[BOB, Address("", "bob@EXAMPLE.org")], cc=[BOB, Address("", "Bob@example.org")], bcc=[JANE])
    assert recipients(one).addresses == ["bob@example.org", "Bob@example.org", "jane@example.com"]
    with pytest.raises(InvalidRequest, match="nobody"):
        recipients(draft(to=[]))
