"""The corpus: real and standard examples of odd mail, with what a reader has to find in them."""

from pathlib import Path

import pytest

from mooring.protocols.mime import Address, ParsedMessage, headers, parse, part

CORPUS = Path(__file__).parents[2] / "corpus" / "mail"
FILES = sorted(CORPUS.glob("*.eml"))


def mail(name: str) -> ParsedMessage:
    return parse((CORPUS / f"{name}.eml").read_bytes())


def listed(message: ParsedMessage) -> list[tuple[str, str, str]]:
    return [(one.part_id, one.content_type, one.filename) for one in message.attachments]


def test_the_corpus_is_there():
    assert len(FILES) == 30
    assert (CORPUS / "LICENSE-MIT.txt").read_text().startswith("Permission is hereby granted")


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_every_message_is_read_and_its_parts_agree(path):
    raw = path.read_bytes()
    message = parse(raw)
    assert headers(raw)
    assert message.body or message.attachments
    for one in message.attachments:
        assert len(part(raw, one.part_id).data) == one.size


def test_rfc_000_nested_multiparts_with_broken_base64():
    message = mail("rfc-000")
    assert message.from_ == [Address("Nathaniel Borenstein", "nsb@nsb.fv.com")]
    assert message.date == 781571705
    assert message.is_plain
    assert "... Some text appears here ..." in message.body
    assert "explicit versus implicit typing" in message.body
    assert [one[:2] for one in listed(message)] == [
        ("3.1", "audio/basic"),
        ("3.2", "image/jpeg"),
        ("4", "text/enriched"),
        ("5", "message/rfc822"),
    ]


def test_rfc_001_external_bodies_and_an_unreadable_date():
    message = mail("rfc-001")
    assert message.message_id == "id1@host.com"
    assert message.date is None
    assert [one.filename for one in message.attachments] == ["BodyFormats.ps", "RFC-MIME.ps", "attachment-3.bin"]


def test_rfc_002_a_forwarded_message():
    message = mail("rfc-002")
    assert message.to == [Address("White House Transportation Coordinator", "transport@whitehouse.gov")]
    assert message.snippet == "Fred, Fire up Air Force One! We're going South! Thanks, Al"
    inner = parse(part((CORPUS / "rfc-002.eml").read_bytes(), "2").data)
    assert inner.message_id == "199804130742.RAA20366@mai1host.whitehouse.gov"


def test_rfc_004_a_digest():
    message = mail("rfc-004")
    assert listed(message) == [
        ("2.1", "message/rfc822", "attachment-2-1.eml"),
        ("2.2", "message/rfc822", "attachment-2-2.eml"),
    ]
    assert parse(part((CORPUS / "rfc-004.eml").read_bytes(), "2.1").data).subject == "my opinion"


def test_rfc_006_alternatives():
    message = mail("rfc-006")
    assert message.body.startswith("<h1>This is the HTML Section!</h1>")
    assert message.snippet.startswith("This is the HTML Section! This is what displays")
    assert message.attachments == []


def test_rfc_007_the_structure_of_rfc_8621():
    """Section 4.1.4 wants htmlBody A, E, K; the media and G to J are attachments."""
    message = mail("rfc-007")
    assert message.snippet == "A E K"
    assert [one.part_id for one in message.attachments] == ["2.1.1.2", "2.1.2.2", "2.2", "2.3", "2.4"]


def test_rfc_008_a_message_attached_as_base64():
    message = mail("rfc-008")
    assert listed(message) == [("2", "message/rfc822", "attached_email.eml")]
    inner = parse(part((CORPUS / "rfc-008.eml").read_bytes(), "2").data)
    assert (inner.subject, inner.message_id) == ("HTML test", "random-message-id@example.com")


def test_thirdparty_000_binary_in_base64_text():
    message = mail("thirdparty-000")
    assert "\0" not in message.body
    assert message.body.startswith("we have\ra lot \nof \ufffdbinary stuff")


def test_thirdparty_002_garbage_behind_base64():
    message = mail("thirdparty-002")
    assert message.body.startswith("päivää")
    assert "yötä vaan." in message.body
    assert "broken base64" in message.defects


def test_thirdparty_003_every_transfer_encoding():
    assert mail("thirdparty-003").body.count("♛") == 4


def test_thirdparty_005_utf_16_and_euc_jp():
    message = mail("thirdparty-005")
    assert message.snippet == "Test message Test message Test message 『世界人権宣言』 invalid--1--"


def test_thirdparty_010_raw_utf_8_in_a_parameter():
    message = mail("thirdparty-010")
    assert (message.subject, message.snippet) == ("こんにちは", "人権の無視及")


def test_thirdparty_014_a_mailing_list():
    message = mail("thirdparty-014")
    assert message.message_id == "325993.29502.qm@web28416.mail.ukl.yahoo.com"
    assert message.subject == "[Shapelib] need some help"
    assert (message.date, message.is_plain) == (1299669585, False)


def test_thirdparty_015_attached_messages_with_names():
    message = mail("thirdparty-015")
    assert message.from_ == [Address("Jonas Sterr - ProxForge", "jsterr@proxforge.de")]
    assert [one.filename for one in message.attachments] == ["training-mail.txt", "office-reply.txt", "shop-mail.txt"]


@pytest.mark.parametrize(
    ("name", "parts"),
    [
        ("thirdparty-016", [("2", True, 242)]),
        ("thirdparty-017", [("2.2", True, 242)]),
        ("thirdparty-018", [("1.2", True, 242), ("2", False, 158)]),
        ("thirdparty-019", [("1.2.2", True, 242), ("2", False, 158)]),
    ],
)
def test_inline_images_wherever_they_are(name, parts):
    message = mail(name)
    assert [(one.part_id, one.is_inline, one.size) for one in message.attachments] == parts
    assert message.snippet == "Search for höhö"
    assert message.attachments[0].content_id == "part1.8C5E6A81.D0C1B91A@example.com"
