"""Messages that nobody should have sent, read all the same."""

import base64
import dataclasses
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mooring.protocols.mime import Disposition, ParsedMessage, PartNotFound, parse, part, plain


def multipart(subtype: str, *parts: bytes, head: bytes = b"") -> bytes:
    pieces = b"".join(b"--b\r\n" + one + b"\r\n" for one in parts)
    return head + f"Content-Type: multipart/{subtype}; boundary=b\r\n\r\n".encode() + pieces + b"--b--\r\n"


def leaf(content_type: str, body: bytes, *more: str) -> bytes:
    return "\r\n".join([f"Content-Type: {content_type}", *more, "", ""]).encode() + body


def strings(value: object) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, list):
        for one in value:
            yield from strings(one)
    elif dataclasses.is_dataclass(value):
        for one in dataclasses.fields(value):
            yield from strings(getattr(value, one.name))


def check(raw: bytes) -> ParsedMessage:
    """What holds for every message: clean strings, and parts that agree with the list."""
    message = parse(raw)
    for text in strings(message):
        text.encode()
        assert "\0" not in text
    assert len(message.snippet) <= 100
    assert "\n" not in message.snippet
    assert len({one.part_id for one in message.attachments}) == len(message.attachments)
    for one in message.attachments:
        found = part(raw, one.part_id)
        assert (len(found.data), found.filename, found.content_type) == (one.size, one.filename, one.content_type)
        assert one.filename.strip()
    return message


FRAGMENTS = [
    *(
        b"\r\n",
        b"\n",
        b"\r",
        b"\0",
        b'"',
        b"<",
        b">",
        b"(",
        b";",
        b":",
        b"--b",
        b"--b--",
        b"=?utf-8?b?",
        b"?=",
        b"\xff",
    ),
    *(b"\xed\xa0\x80", b"Content-Type: multipart/mixed; boundary=b\r\n\r\n", b"Content-Type: text/html\r\n\r\n"),
    *(
        b"Content-Transfer-Encoding: base64\r\n",
        b"charset=utf-7",
        b"charset=utf-16",
        b"filename*0*=utf-8''%ff",
        b"+2AA-",
    ),
    *(
        b"From: ",
        b"Date: ",
        b"Content-Disposition: attachment; filename=",
        b"Content-Type: message/rfc822\r\n\r\n",
        b"x" * 80,
    ),
]


@given(st.binary(max_size=500))
def test_random_bytes(raw):
    check(raw)


@given(st.lists(st.sampled_from(FRAGMENTS), max_size=40).map(b"".join))
def test_random_mail(raw):
    check(raw)


def test_an_empty_message():
    message = check(b"")
    assert (message.subject, message.body, message.is_plain, message.date) == ("", "", True, None)
    assert message.attachments == []


def test_html_is_preferred_and_plain_text_stays_as_it_is():
    text, rich = leaf("text/plain", b"1 < 2"), leaf("text/html", b"<b>1 &lt; 2</b>")
    both = check(multipart("alternative", text, rich))
    assert (both.body, both.is_plain, both.snippet) == ("<b>1 &lt; 2</b>", False, "1 < 2")
    only = check(multipart("alternative", text))
    assert (only.body, only.is_plain, only.snippet) == ("1 < 2", True, "1 < 2")
    blank = check(multipart("alternative", text, leaf("text/html", b" \r\n")))
    assert (blank.body.strip(), blank.attachments) == ("<pre>1 &lt; 2</pre>", [])


def test_text_around_html_is_not_lost():
    message = check(multipart("mixed", leaf("text/html", b"<p>Hi</p>"), leaf("text/plain", b"-- \r\nlist <footer>")))
    assert message.body == "<p>Hi</p><pre>-- \r\nlist &lt;footer&gt;</pre>"
    assert not message.is_plain


@pytest.mark.parametrize(
    ("charset", "data", "text"),
    [
        ("utf-8", "ä€".encode(), "ä€"),
        ("iso-8859-1", b"\xe4 \x80", "ä €"),
        ("windows-1252", b"\x93q\x94", "“q”"),
        ("us-ascii", "ä".encode(), "ä"),
        ("us-ascii", b"\xe4", "ä"),
        ("x-unknown", "ä".encode(), "ä"),
        ("no-such-thing", b"\xe4", "ä"),
        ("utf-16", "ä".encode("utf-16"), "ä"),
        ("koi8-r", "да".encode("koi8-r"), "да"),
        ("gb2312", "中".encode("gb18030"), "中"),
        ("ks_c_5601-1987", "한".encode("cp949"), "한"),
        ("rot13", b"abc", "abc"),
        ("idna", b"xn--a", "xn--a"),
        ("utf-7", b"+2AA-", "\ufffd"),
        ("utf-8", b"a\xff\0", "a\ufffd\ufffd"),
    ],
)
def test_charsets(charset, data, text):
    assert check(b"Content-Type: text/plain; charset=" + charset.encode() + b"\r\n\r\n" + data).body == text


def test_broken_base64_spoils_only_itself():
    good = base64.encodebytes(b"whole")
    raw = multipart(
        "mixed",
        leaf("text/plain", b"body"),
        leaf("image/png", b"aGVs!bG8", "Content-Transfer-Encoding: base64", "Content-Disposition: attachment"),
        leaf(
            "image/png", good, "Content-Transfer-Encoding: base64", 'Content-Disposition: attachment; filename="ä.png"'
        ),
    )
    message = check(raw)
    assert message.body == "body"
    assert [(one.part_id, one.filename, one.size) for one in message.attachments] == [
        ("2", "attachment-2.png", 5),
        ("3", "ä.png", 5),
    ]
    assert part(raw, "2").data == b"hello"
    assert part(raw, "3").data == b"whole"


@pytest.mark.parametrize(
    ("declared", "name"),
    [
        ("attachment", "attachment-1.pdf"),
        ('attachment; filename=""', "attachment-1.pdf"),
        ('attachment; filename="  "', "attachment-1.pdf"),
        ('attachment; filename=".."', "attachment-1.pdf"),
        ('attachment; filename="../../etc/passwd"', "passwd"),
        ('attachment; filename="C:\\\\temp\\\\a.pdf"', "a.pdf"),
        ("attachment; filename*=utf-8''%E2%82%AC.pdf", "€.pdf"),
        ("attachment; filename*0*=utf-8''%E2%82; filename*1*=%AC.pdf", "€.pdf"),
        ('attachment; filename="=?utf-8?q?=E2=82=AC.pdf?="', "€.pdf"),
        ('attachment; filename="a\tb.pdf"', "a b.pdf"),
        ("attachment; filename=" + "x" * 300, "x" * 255),
    ],
)
def test_filenames(declared, name):
    raw = multipart("mixed", leaf("application/pdf", b"x", f"Content-Disposition: {declared}"))
    assert [one.filename for one in check(raw).attachments] == [name]


def test_attachment_kinds():
    raw = multipart(
        "mixed",
        leaf("text/html", b'<img src="cid:a%40b">'),
        leaf("image/png", b"1", "Content-ID: <a@b>", "Content-Disposition: attachment"),
        leaf("image/gif", b"2", "Content-ID: <c@d>"),
        leaf("image/jpeg", b"3", "Content-Disposition: inline"),
        leaf("text/plain", b"4", 'Content-Disposition: inline; filename="log.txt"'),
        leaf("message/rfc822", b"Subject: inner\r\n\r\nbody"),
        leaf("text/calendar", b"BEGIN:VCALENDAR"),
    )
    message = check(raw)
    assert [(one.part_id, one.filename, one.is_inline) for one in message.attachments] == [
        ("2", "attachment-2.png", True),
        ("3", "attachment-3.gif", False),
        ("4", "attachment-4.jpg", True),
        ("5", "log.txt", True),
        ("6", "attachment-6.eml", False),
        ("7", "attachment-7.ics", False),
    ]
    assert message.attachments[0].disposition is Disposition.INLINE
    assert part(raw, "6").data == b"Subject: inner\r\n\r\nbody"


@pytest.mark.parametrize("part_id", ["", "1", "9", "2.1", "../1", "\0", "２"])
def test_parts_that_are_not_there(part_id):
    raw = multipart("mixed", leaf("text/plain", b"body"), leaf("image/png", b"x"))
    with pytest.raises(PartNotFound):
        part(raw, part_id)


def test_a_message_that_is_one_file():
    message = check(leaf("application/pdf", b"PDF"))
    assert [(one.part_id, one.filename, one.size) for one in message.attachments] == [("1", "attachment-1.pdf", 3)]
    assert message.body == ""


def test_a_multipart_without_parts_keeps_its_text():
    message = check(b"Content-Type: multipart/mixed\r\n\r\nstill here")
    assert message.body == "still here"
    assert message.defects == ["a multipart without parts is read as text"]


@pytest.mark.parametrize(
    ("markup", "shown"),
    [
        ("<p>One</p><p>Two</p>", "One Two"),
        ("a<b>b</b>c", "abc"),
        ("<style>p{}</style><script>x()</script>shown", "shown"),
        ("<head><title>t</title></head>shown", "shown"),
        ("<!-- hidden --><!DOCTYPE html>shown", "shown"),
        ("&lt;tag&gt; &amp; &#8364;&nbsp;5", "<tag> & € 5"),
        ('<img alt="a>b">shown', "shown"),
        ("1 < 2 and 3 > 2", "1 < 2 and 3 > 2"),
        ("<STYLE>never closed", ""),
        ("<p>cut <a href=", "cut"),
        ("\u200c \u034f \u200bshown", "\u200bshown"),
        ("x" * 200, "x" * 100),
        (" " * 5000 + "late", "late"),
        ("<br>" * 5000 + "late", "late"),
    ],
)
def test_snippets(markup, shown):
    assert check(leaf("text/html", markup.encode(), "Content-Transfer-Encoding: 8bit")).snippet in (
        shown,
        shown.strip(),
    )
    assert " ".join(plain(markup).split())[:100] == " ".join(shown.split()) or "\u200b" in shown


HOSTILE = {
    "a million parts": multipart("mixed", *[b"\r\nx"] * 100_000),
    "deep nesting": b"".join(b"Content-Type: multipart/mixed; boundary=b%d\n\n--b%d\n" % (i, i) for i in range(5_000)),
    "deep messages": b"Content-Type: message/rfc822\r\n\r\n" * 5_000,
    "encoded words without end": b"Subject: " + b"=?" * 500_000 + b"\r\n\r\nbody",
    "open quotes": b'From: "' + b'\\"' * 200_000 + b"\r\n\r\nbody",
    "open brackets": b"From: " + b"(<" * 200_000 + b"\r\n\r\nbody",
    "header lines": b"A:\n" * 500_000 + b"\nbody",
    "open comments": b"Content-Type: text/html\r\n\r\n" + b"<!--" * 500_000,
    "open tags": b"Content-Type: text/html\r\n\r\n" + b'<a "x>" ' * 200_000,
    "digits": b"Content-Type: text/html\r\n\r\n&#" + b"9" * 100_000 + b";",
}


@pytest.mark.timeout(20)
@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_mail_is_read_in_bounded_time(name):
    message = check(HOSTILE[name])
    assert len(message.attachments) <= 1_000
