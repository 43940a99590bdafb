"""The mailbox of the demonstration is one that reads well, and that is worth reading with."""

from datetime import UTC, datetime, timedelta
from email import message_from_bytes

from mooring.demo.letters import ACCOUNT, letters
from mooring.protocols.mime import parse

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)

SCRIPTS = {"Latin": "a", "Cyrillic": "а", "Greek": "α", "Arabic": "ا", "Kana": "の", "Emoji": "🍕"}


def test_every_letter_is_without_defects_and_within_the_window() -> None:
    for letter in letters(NOW):
        message = parse(letter.raw)
        assert not message.defects
        assert message.subject
        assert message.from_
        assert timedelta() < NOW - letter.at < timedelta(days=90)
        assert b"\n" not in letter.raw.replace(b"\r\n", b"")


def test_there_are_threads_files_and_scripts() -> None:
    mailbox = [parse(letter.raw) for letter in letters(NOW)]
    assert len(mailbox) >= 30
    assert sum("Re: " in message.subject for message in mailbox) >= 10
    assert [a.filename for message in mailbox for a in message.attachments] == ["tides.csv"]
    text = "".join(message.body for message in mailbox)
    assert [name for name, character in SCRIPTS.items() if character not in text] == []


def test_an_answer_refers_to_a_letter_that_came_before_it() -> None:
    known: set[str] = set()
    for letter in letters(NOW):
        written = message_from_bytes(letter.raw)
        assert written["In-Reply-To"] is None or written["In-Reply-To"] in known
        known.add(written["Message-ID"])
    assert len(known) == len(letters(NOW))


def test_what_the_owner_wrote_lies_in_sent() -> None:
    for letter in letters(NOW):
        assert letter.sent == (parse(letter.raw).from_[0].email == ACCOUNT)
