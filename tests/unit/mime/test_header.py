"""Header fields as they come: encoded, folded, garbled."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mooring.protocols.mime import Address, headers, parse, raw_header_block


def subject(value: bytes) -> str:
    return parse(b"Subject: " + value + b"\r\n\r\n").subject


@pytest.mark.parametrize(
    ("value", "decoded"),
    [
        (b"plain", "plain"),
        (b"=?utf-8?q?Gr=C3=BC=C3=9Fe?=", "Grüße"),
        (b"=?ISO-8859-1?Q?a_b=E9?= c", "a bé c"),
        (b"=?utf-8?B?R3LDvA==?=\r\n =?utf-8?B?w59l?=", "Grüße"),
        (b"=?utf-8?B?R3LD?= =?utf-8?B?vMOfZQ==?=", "Grüße"),  # a character cut in two
        (b"=?utf-8?B?R3LDvMOfZQ?=", "Grüße"),  # without padding
        (b"=?iso-2022-jp?B?GyRCRnxLXBsoQg==?=", "日本"),
        (b"=?gb2312?B?xOO6ww==?=", "你好"),
        (b"=?x-nobody-knows?Q?caf=C3=A9?=", "café"),
        (b"=?utf-8*de?Q?z=C3=BC?=", "zü"),
        (b"a =?utf-8?Q?b?= =?utf-8?Q?c?= d", "a bc d"),
        (b"=?utf-8?Q?a=0D=0ABcc:_x?=", "a  Bcc: x"),
        (b"=?utf-8?Q?unfinished", "=?utf-8?Q?unfinished"),
        ("roh: ü".encode(), "roh: ü"),
        ("roh: ü".encode("latin-1"), "roh: ü"),
        (b"folded\r\n over\r\n\tlines", "folded over lines"),
        (b"nul\0here", "nul\ufffdhere"),
        (b"=?utf-8?Q?nul=00?=", "nul\ufffd"),
        (b"=?utf-7?Q?+2AA-?=", "\ufffd"),
    ],
)
def test_subjects(value, decoded):
    assert subject(value) == decoded


@pytest.mark.parametrize(
    ("value", "found"),
    [
        (b"a@b.c", [("", "a@b.c")]),
        (b"Ann <a@b.c>, b@c.d", [("Ann", "a@b.c"), ("", "b@c.d")]),
        (b'"Doe, Jane" <j@x.y>', [("Doe, Jane", "j@x.y")]),
        (b"Doe, Jane <j@x.y>", [("Doe, Jane", "j@x.y")]),
        (b"=?utf-8?q?Doe=2C_J=C3=B6rg?= <j@x.y>", [("Doe, Jörg", "j@x.y")]),
        (b'"=?utf-8?q?J=C3=B6rg?=" <j@x.y>', [("Jörg", "j@x.y")]),
        (rb'"a \"b\" \\c" <j@x.y>', [('a "b" \\c', "j@x.y")]),
        (b"j@x.y (Jane (the) Doe)", [("Jane the Doe", "j@x.y")]),
        (b"Friends: a@b.c, Bob <b@c.d>;", [("", "a@b.c"), ("Bob", "b@c.d")]),
        (b"undisclosed-recipients:;", []),
        (b"<@relay,@other:a@b.c>", [("", "a@b.c")]),
        (b"<mailto:a@b.c>", [("", "a@b.c")]),
        (b'"John Smith"@x.y', [("", '"John Smith"@x.y')]),
        (b"John a@b.c", [("John", "a@b.c")]),
        (b"Whomever It Was", [("Whomever It Was", "")]),
        (b"root", [("", "root")]),
        (b'Bob "the <b@c.d>', [("Bob the", "b@c.d")]),
        (b"Bob (unclosed <b@c.d>", [("Bob unclosed", "b@c.d")]),
        (b"a@b.c; b@c.d", [("", "a@b.c"), ("", "b@c.d")]),
        (b"Ann <a@b.c", [("Ann", "a@b.c")]),
        (b"x@[IPv6:::1]", [("", "x@[IPv6:::1]")]),
        (b"Ann <>", [("Ann", "")]),
        (b"<>, ,;", []),
        ("Jürgen <j@x.y>".encode("latin-1"), [("Jürgen", "j@x.y")]),
        (b"Ann\r\n <a@b.c>,\r\n\tb@c.d", [("Ann", "a@b.c"), ("", "b@c.d")]),
    ],
)
def test_addresses(value, found):
    assert parse(b"To: " + value + b"\r\n\r\n").to == [Address(*one) for one in found]


def test_every_recipient_header_counts():
    raw = b"To: a@b.c\r\nTo: d@e.f\r\nCc: g@h.i\r\nBcc: j@k.l\r\nReply-To: m@n.o\r\n\r\n"
    message = parse(raw)
    assert [one.email for one in message.to + message.cc + message.bcc + message.reply_to] == [
        "a@b.c",
        "d@e.f",
        "g@h.i",
        "j@k.l",
        "m@n.o",
    ]


@pytest.mark.parametrize(
    ("value", "found"),
    [
        (b"<a@b> <c@d>", ["a@b", "c@d"]),
        (b"<a@b><c@d>,<a@b>", ["a@b", "c@d"]),
        (b"<a@b>\r\n\t<c@\r\n d>", ["a@b", "c@d"]),
        (b"a@b c@d", ["a@b", "c@d"]),
        (b"<a@b> <cut@of", ["a@b", "cut@of"]),
        (b"Your message of Monday <a@b>", ["a@b"]),
        (b"nothing here", []),
        (b"", []),
    ],
)
def test_references(value, found):
    message = parse(b"References: " + value + b"\r\nIn-Reply-To: " + value + b"\r\n\r\n")
    assert message.references == found
    assert message.in_reply_to == (found[0] if found else "")


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        (b"Thu, 01 Jan 1970 00:00:10 +0000", 10),
        (b"Thu, 1 Jan 1970 02:00:10 +0200", 10),
        (b"1 Jan 70 00:00:10 GMT", 10),
        (b"Thu, 01 Jan 1970 00:00:10 +0000 (UTC)", 10),
        (b"1970-01-01T00:00:10Z", 10),
        (b"1970-01-01 00:00:10", 10),
        (b"Thu, 01 Jan 1970 00:00:10", 10),
        (b"Whenever", None),
        (b"Thu, 99 Foo 2020 99:99:99 +9999", None),
        (b"Thu, 01 Jan 99999 00:00:00 +0000", None),
        (b"1 Jan 1960 00:00:00 GMT", None),
        ("1 Jan ²⁰20 00:00:00".encode(), None),
    ],
)
def test_dates(value, seconds):
    message = parse(b"Date: " + value + b"\r\n\r\n")
    assert message.date == seconds
    assert ("unreadable Date" in message.defects) == (seconds is None)


def test_all_headers_in_order_decoded():
    raw = b"B: 1\r\nA: =?utf-8?q?=C3=A4?=\r\nB: 2\r\n 3\r\nno field at all\r\nX-Empty:\r\n\r\nbody: no\r\n"
    assert headers(raw) == [("B", "1"), ("A", "ä"), ("B", "2 3"), ("X-Empty", "")]


@pytest.mark.parametrize(
    ("raw", "block"),
    [
        (b"A: 1\r\n\r\nbody\r\n\r\n", b"A: 1\r\n\r\n"),
        (b"A: 1\n\nbody", b"A: 1\n\n"),
        (b"\r\nbody", b"\r\n"),
        (b"A: 1\r\n", b"A: 1\r\n"),
        (b"", b""),
        (b"From jane Thu Jan 1 00:00:10 1970\nA: 1\n\nbody", b"A: 1\n\n"),
        (b"\xef\xbb\xbfA: 1\n\nbody", b"A: 1\n\n"),
    ],
)
def test_the_header_block_ends_with_its_empty_line(raw, block):
    assert raw_header_block(raw) == block


@given(st.binary(max_size=300))
def test_headers_never_raise_and_are_clean(raw):
    for name, value in headers(raw):
        assert name.isascii()
        value.encode()
        assert "\0" not in value
        assert "\n" not in value
