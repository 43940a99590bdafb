"""Generated mail in the shape that was measured: 21.7 KB on average, threads, several scripts, attachments.

Bodies come from a small pool that is rendered once; a message is headers and a line of its own around one of
them. So 20,000 messages cost about a second, where building each as an EmailMessage costs minutes.
"""

import base64
import random
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

_PEOPLE = (
    ("Ann Archer", "ann@lab.test"),
    ("Björn Åkesson", "bjorn@lab.test"),
    ("Chiara D'Angelo", "chiara@example.test"),
    ("Дмитрий Соколов", "dmitri@example.test"),
    ("山田 花子", "hanako@example.test"),
    ("محمد العلي", "mohammed@example.test"),
    ("Νίκος Παπαδόπουλος", "nikos@example.test"),
    ("Zoë O'Brien", "zoe@lab.test"),
)
_SUBJECTS = (
    "Harbour dues for the third quarter",
    "Re-scheduling the survey",
    "Angebot für die neue Festmacherleine",
    "Réunion de l'équipage – ordre du jour",
    "Отчёт о состоянии причала",
    "港の利用料金について",
    "جدول الصيانة الأسبوعي",
    "Ημερολόγιο δρομολογίων ⚓",
)
_WORDS = (
    *("anchor", "berth", "cable", "deck", "ebb", "fender", "gale", "hull", "inlet", "jetty", "keel", "line", "mast"),
    *("neap", "oar", "pier", "quay", "rope", "sail", "tide", "Über", "Größe", "déjà", "façade", "причал", "якорь"),
    *("корабль", "港", "船", "海", "ميناء", "سفينة", "λιμάνι", "πλοίο"),
)


@dataclass(frozen=True, slots=True)
class Mail:
    """One generated message.

    Attributes:
        thread: messages with the same number belong together, and say so in References.
    """

    raw: bytes
    date: datetime
    flags: tuple[str, ...]
    message_id: str
    subject: str
    thread: int


@dataclass(frozen=True, slots=True)
class _Body:
    headers: str
    content: bytes


def mails(
    count: int,
    *,
    seed: int = 0,
    to: str = "ann@lab.test",
    newest: datetime | None = None,
    span: timedelta = timedelta(days=80),
) -> Iterator[Mail]:
    """So many messages, oldest first, evenly over the span; the same seed gives the same messages.

    Args:
        newest: the date of the last one; now, in whole seconds, if left out.
    """
    chance = random.Random(seed)
    bodies = _pool(chance)
    end = newest or datetime.now(UTC).replace(microsecond=0)
    threads: list[list[str]] = []
    subjects: list[str] = []
    for number in range(count):
        date = (end - span * ((count - 1 - number) / max(count, 1))).replace(microsecond=0)
        message_id = f"<{seed}.{number}.{chance.getrandbits(64):016x}@mail.lab.test>"
        if threads and chance.random() < 0.6:
            thread = chance.randrange(max(0, len(threads) - 50), len(threads))
            subject = f"Re: {subjects[thread]}"
        else:
            thread = len(threads)
            subject = f"{chance.choice(_SUBJECTS)} #{seed}-{number}"
            threads.append([])
            subjects.append(subject)
        raw = _message(chance.choice(bodies), chance.choice(_PEOPLE), to, subject, date, message_id, threads[thread])
        threads[thread].append(message_id)
        flags = ("\\Seen",) if chance.random() < 0.7 else ()
        flags += ("\\Flagged",) if chance.random() < 0.05 else ()
        yield Mail(raw, date, flags, message_id, subject, thread)


def _message(
    body: _Body,
    sender: tuple[str, str],
    to: str,
    subject: str,
    date: datetime,
    message_id: str,
    earlier: list[str],
) -> bytes:
    thread = ""
    if earlier:
        # As clients do: the root and the last few, so that the header stays short.
        named = earlier[:1] + earlier[1:][-5:]
        thread = f"In-Reply-To: {earlier[-1]}\r\nReferences: " + "\r\n ".join(named) + "\r\n"
    head = (
        f"Return-Path: <{sender[1]}>\r\n"
        f"Received: from relay.example.test (relay.example.test [192.0.2.25])\r\n"
        f"\tby mail.lab.test with ESMTPS id {message_id[1:12]}; {format_datetime(date)}\r\n"
        f"Date: {format_datetime(date)}\r\n"
        f"From: {_encoded(sender[0])} <{sender[1]}>\r\n"
        f"To: <{to}>\r\n"
        f"Subject: {_encoded(subject)}\r\n"
        f"Message-ID: {message_id}\r\n{thread}"
        f"MIME-Version: 1.0\r\n{body.headers}\r\n"
    )
    return head.encode("ascii") + body.content


def _pool(chance: random.Random) -> list[_Body]:
    """Forty bodies: many short texts, some pages of HTML, a few with attachments."""
    texts = [_plain(chance, size) for size in (400, 800, 1500, 2500, 4000, 6000) for _ in range(2)]
    pages = [_alternative(chance, size) for size in (4000, 8000, 12_000, 18_000) for _ in range(4)]
    files = [_mixed(chance, size) for size in (8000, 15_000, 30_000, 45_000, 60_000, 94_000) for _ in range(2)]
    return texts + pages + files


def _plain(chance: random.Random, size: int) -> _Body:
    return _Body("Content-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: 8bit\r\n", _text(chance, size))


def _alternative(chance: random.Random, size: int) -> _Body:
    boundary = f"=_alt_{chance.getrandbits(48):012x}"
    return _Body(
        f'Content-Type: multipart/alternative; boundary="{boundary}"\r\n', _alternatives(chance, size, boundary)
    )


def _alternatives(chance: random.Random, size: int, boundary: str) -> bytes:
    text = _text(chance, size // 4)
    paragraphs = b"".join(
        b'<p style="margin:0 0 12px;font-family:Arial,sans-serif">' + line + b"</p>\r\n"
        for line in _text(chance, size // 2).splitlines()
    )
    page = base64.encodebytes(b"<!doctype html><html><body>\r\n" + paragraphs + b"</body></html>\r\n")
    return (
        f"--{boundary}\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: 8bit\r\n\r\n".encode()
        + text
        + f"\r\n--{boundary}\r\nContent-Type: text/html; charset=utf-8\r\n".encode()
        + b"Content-Transfer-Encoding: base64\r\n\r\n"
        + page.replace(b"\n", b"\r\n")
        + f"--{boundary}--\r\n".encode()
    )


def _mixed(chance: random.Random, size: int) -> _Body:
    boundary = f"=_mix_{chance.getrandbits(48):012x}"
    inner = f"=_in_{chance.getrandbits(48):012x}"
    kind, name = chance.choice(
        (("application/pdf", "berth plan.pdf"), ("image/png", "chart.png"), ("application/zip", "logbook.zip"))
    )
    file = base64.encodebytes(chance.randbytes(size * 72 // 100)).replace(b"\n", b"\r\n")
    return _Body(
        f'Content-Type: multipart/mixed; boundary="{boundary}"\r\n',
        f'--{boundary}\r\nContent-Type: multipart/alternative; boundary="{inner}"\r\n\r\n'.encode()
        + _alternatives(chance, 2500, inner)
        + f'\r\n--{boundary}\r\nContent-Type: {kind}; name="{name}"\r\n'.encode()
        + f'Content-Disposition: attachment; filename="{name}"\r\n'.encode()
        + b"Content-Transfer-Encoding: base64\r\n\r\n"
        + file
        + f"--{boundary}--\r\n".encode(),
    )


def _text(chance: random.Random, size: int) -> bytes:
    lines: list[bytes] = []
    length = 0
    while length < size:
        line = " ".join(chance.choice(_WORDS) for _ in range(12)).encode()
        lines.append(line)
        length += len(line) + 2
    return b"\r\n".join(lines) + b"\r\n"


def _encoded(words: str) -> str:
    if words.isascii():
        return f'"{words}"' if "," in words else words
    # RFC 2047 §2: an encoded word holds at most 75 characters; cut between characters, never inside one.
    pieces: list[str] = []
    for start in range(0, len(words), 11):
        piece = base64.b64encode(words[start : start + 11].encode()).decode()
        pieces.append(f"=?utf-8?b?{piece}?=")
    return "\r\n ".join(pieces)
