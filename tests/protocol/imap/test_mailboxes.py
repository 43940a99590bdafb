"""Commands about mailboxes, each as a transcript."""

import pytest

from mooring.errors import InvalidRequest, RemoteProtocolError, ServerRefused
from mooring.protocols.imap import (
    Attribute,
    Exists,
    MailboxStatus,
    Namespace,
    NotOffered,
    State,
    StatusResponse,
    UidSet,
    WrongState,
)
from tests.protocol.imap.opened import CAPABILITIES, logged_in, selected
from tests.protocol.scripted import heard, said


async def test_list_with_everything_a_modern_server_can_tell() -> None:
    items = "MESSAGES UNSEEN UIDNEXT UIDVALIDITY HIGHESTMODSEQ"
    client, stream = await logged_in(
        f'C: M2 LIST "" "*" RETURN (CHILDREN SPECIAL-USE STATUS ({items}))',
        'S: * LIST (\\HasNoChildren \\Sent) "/" "Gesendet &AMQ-"',
        'S: * STATUS "Gesendet &AMQ-" (MESSAGES 3 UIDNEXT 9 UIDVALIDITY 7)',
        'S: * LIST (\\Noselect) "/" Archive',
        "S: M2 OK done",
    )
    sent, archive = await client.list(with_status=True)
    assert sent.name == "Gesendet Ä"
    assert sent.wire == b"Gesendet &AMQ-"
    assert Attribute.SENT in sent.attributes
    assert sent.status == MailboxStatus("Gesendet Ä", b"Gesendet &AMQ-", messages=3, uid_next=9, uid_validity=7)
    assert not archive.is_selectable
    assert archive.status is None
    stream.assert_done()


async def test_list_of_an_old_server() -> None:
    client, stream = await logged_in('C: M2 LIST "" "%"', "S: * LIST () NIL INBOX", "S: M2 OK done", offers="IMAP4rev1")
    (inbox,) = await client.list("%", with_status=True)
    assert (inbox.name, inbox.delimiter) == ("INBOX", None)
    stream.assert_done()


async def test_names_of_any_script_and_names_that_are_none() -> None:
    client, stream = await logged_in(
        'C: M2 CREATE "&ZeVnLIqe-/R&-D"',
        "S: M2 OK done",
        heard(b"M3 DELETE {4+}\r\n\xff\xfe&-\r\n"),
        "S: M3 OK done",
        'C: M4 RENAME "a" "b\\"c"',
        "S: M4 OK done",
        'C: M5 SUBSCRIBE "a"',
        "S: M5 OK done",
        'C: M6 UNSUBSCRIBE "a"',
        "S: M6 OK done",
    )
    await client.create("日本語/R&D")
    await client.delete(b"\xff\xfe&-")
    await client.rename("a", 'b"c')
    await client.subscribe("a")
    await client.unsubscribe("a")
    stream.assert_done()


async def test_utf8_names_once_enabled() -> None:
    client, stream = await logged_in(
        "C: M2 ENABLE UTF8=ACCEPT",
        "S: * ENABLED UTF8=ACCEPT",
        "S: M2 OK done",
        'C: M3 CREATE "日本 & Söhne"',
        "S: M3 OK done",
        'C: M4 LIST "" "*"',
        'S: * LIST () "/" "日本 & Söhne"',
        "S: M4 OK done",
        offers="IMAP4rev1 ENABLE UTF8=ACCEPT",
    )
    await client.enable("UTF8=ACCEPT")
    await client.create("日本 & Söhne")
    (listed,) = await client.list()
    assert listed.name == "日本 & Söhne"
    stream.assert_done()


async def test_select_describes_the_mailbox_and_leaves_no_news() -> None:
    client, stream = await logged_in(
        'C: M2 SELECT "INBOX" (CONDSTORE)',
        "S: * FLAGS (\\Seen $Work)",
        "S: * OK [PERMANENTFLAGS (\\Seen \\*)] limited",
        "S: * 3 EXISTS",
        "S: * 1 RECENT",
        "S: * OK [UNSEEN 2] first",
        "S: * OK [UIDVALIDITY 7] valid",
        "S: * OK [UIDNEXT 100] next",
        "S: * OK [HIGHESTMODSEQ 50] highest",
        "S: * OK [MAILBOXID (F1a2)] id",
        "S: * OK [ALERT] maintenance tonight",
        "S: M2 OK [READ-ONLY] selected",
    )
    mailbox = await client.select("INBOX")
    assert (mailbox.exists, mailbox.uid_validity, mailbox.uid_next, mailbox.highest_modseq) == (3, 7, 100, 50)
    assert mailbox.flags == {"\\Seen", "$Work"}
    assert mailbox.permanent_flags == {"\\Seen", "\\*"}
    assert mailbox.read_only
    assert mailbox.mailbox_id == "F1a2"
    assert client.state is State.SELECTED
    (alert,) = client.take_events()
    assert isinstance(alert, StatusResponse)
    assert alert.text.text == "maintenance tonight"
    stream.assert_done()


async def test_quick_resynchronisation() -> None:
    client, stream = await logged_in(
        "C: M2 ENABLE QRESYNC",
        "S: * ENABLED QRESYNC",
        "S: M2 OK done",
        'C: M3 EXAMINE "INBOX" (QRESYNC (7 40 1:20,30))',
        "S: * 3 EXISTS",
        "S: * OK [UIDVALIDITY 7] valid",
        "S: * OK [HIGHESTMODSEQ 50] highest",
        "S: * VANISHED (EARLIER) 2,5:1000000000",
        "S: * 1 FETCH (UID 1 FLAGS (\\Seen) MODSEQ (49))",
        "S: M3 OK done",
    )
    await client.enable("QRESYNC")
    mailbox = await client.select("INBOX", read_only=True, since=(7, 40), known=UidSet.parse("1:20,30"))
    assert 999 in mailbox.vanished
    assert [(m.uid, m.flags, m.modseq) for m in mailbox.changed] == [(1, {"\\Seen"}, 49)]
    assert mailbox.exists == 3, "what vanished earlier is not in the count"
    stream.assert_done()


async def test_known_uids_that_fill_no_line_are_left_out_whole() -> None:
    client, stream = await logged_in(
        "C: M2 ENABLE QRESYNC",
        "S: * ENABLED QRESYNC",
        "S: M2 OK done",
        'C: M3 SELECT "INBOX" (QRESYNC (7 40))',
        "S: * OK [UIDVALIDITY 7] valid",
        "S: M3 OK done",
    )
    await client.enable("QRESYNC")
    await client.select("INBOX", since=(7, 40), known=UidSet.of(range(1, 10_000, 2)))
    stream.assert_done()


async def test_quick_resynchronisation_must_be_enabled() -> None:
    client, stream = await logged_in()
    with pytest.raises(InvalidRequest):
        await client.select("INBOX", since=(7, 40))
    stream.assert_done()


async def test_a_mailbox_that_is_not_there_leaves_none_selected() -> None:
    client, stream = await selected(
        'C: M3 SELECT "nope" (CONDSTORE)',
        "S: * OK [CLOSED] old one closed",
        "S: M3 NO [NONEXISTENT] Mailbox doesn't exist",
    )
    with pytest.raises(ServerRefused) as caught:
        await client.select("nope")
    assert caught.value.code == "NONEXISTENT"
    assert client.state is State.AUTHENTICATED
    assert client.mailbox is None
    with pytest.raises(WrongState):
        await client.search()
    stream.assert_done()


async def test_a_mailbox_without_uidvalidity_cannot_be_synchronised() -> None:
    client, _ = await logged_in('C: M2 SELECT "x"', "S: * 1 EXISTS", "S: M2 OK done", offers="IMAP4rev1")
    with pytest.raises(RemoteProtocolError, match="UIDVALIDITY"):
        await client.select("x")


async def test_the_selected_mailbox_follows_what_the_server_says() -> None:
    client, _ = await selected(
        "C: M3 NOOP",
        "S: * 5 EXISTS",
        "S: * 1 EXPUNGE",
        "S: * VANISHED 8:9",
        "S: * OK [HIGHESTMODSEQ 77] more",
        "S: M3 OK done",
        "C: M4 UNSELECT",
        "S: M4 OK done",
    )
    await client.noop()
    assert client.mailbox is not None
    assert client.mailbox.exists == 2
    assert client.mailbox.highest_modseq == 77
    assert len(client.take_events()) == 4
    assert client.take_events() == []
    await client.unselect()
    assert client.mailbox is None
    assert client.state is State.AUTHENTICATED


async def test_status_close_and_namespaces() -> None:
    client, stream = await selected(
        'C: M3 STATUS "Sent" (MESSAGES SIZE)',
        "S: * 4 EXISTS",
        "S: * STATUS Sent (MESSAGES 2 SIZE 1000)",
        "S: M3 OK done",
        "C: M4 CLOSE",
        "S: M4 OK done",
        "C: M5 NAMESPACE",
        'S: * NAMESPACE (("" "/")) NIL NIL',
        "S: M5 OK done",
    )
    assert await client.status("Sent", ["MESSAGES", "SIZE"]) == MailboxStatus("Sent", b"Sent", messages=2, size=1000)
    assert client.take_events() == [Exists(4)]
    await client.close()
    assert (await client.namespaces()).personal == (Namespace("", "/"),)
    stream.assert_done()


async def test_what_is_not_offered_is_not_sent() -> None:
    client, stream = await selected(offers="IMAP4rev1")
    for command in (client.unselect, client.namespaces, client.compress, client.idle):
        with pytest.raises(NotOffered) as caught:
            await command()
        assert caught.value.capability in CAPABILITIES
    stream.assert_done()


async def test_a_name_in_a_literal_and_names_in_pieces() -> None:
    client, stream = await logged_in(
        'C: M2 LIST "" "*"',
        said(b'* LIST () "/" {9}\r\nline "x\\"\r\n* LIST () "/" {1}\r\nb\r\nM2 OK done\r\n'),
        offers="IMAP4rev1",
        chunk=3,
    )
    assert [mailbox.name for mailbox in await client.list()] == ['line "x\\"', "b"]
    stream.assert_done()
