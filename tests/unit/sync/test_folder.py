"""One folder: filled from wherever it stands, then followed, by whatever means the server has."""

from datetime import UTC, date, datetime

import pytest

from mooring.errors import ConnectionLost, RemoteProtocolError, ServerRefused
from mooring.sync.folder import BATCH_MESSAGES, FIRST_BATCH
from tests.mailhost import Account
from tests.unit.sync.copies import Copy, empty_copy

PLAIN = frozenset[str]()
CONDSTORE = frozenset({"CONDSTORE"})
QRESYNC = frozenset({"CONDSTORE", "QRESYNC", "ENABLE"})
LATER = datetime(2026, 5, 1, tzinfo=UTC)

every_server = pytest.mark.parametrize(
    "capabilities", [PLAIN, CONDSTORE, QRESYNC], ids=["plain", "condstore", "qresync"]
)


def raw(number: int) -> bytes:
    return b"Subject: %d\r\n\r\n" % number


def account_of(count: int, capabilities: frozenset[str] = PLAIN) -> Account:
    account = Account(capabilities=capabilities)
    for number in range(1, count + 1):
        account.inbox.deliver(raw(number))
    return account


async def filled(account: Account) -> Copy:
    copy = empty_copy()
    await copy.follow(account)
    copy.assert_same_as(account)
    account.commands.clear()
    return copy


async def test_a_fill_begins_with_the_newest_page_and_goes_back_in_time() -> None:
    account = account_of(FIRST_BATCH + BATCH_MESSAGES + 7)
    copy = empty_copy()
    await copy.follow(account)
    copy.assert_same_as(account)
    assert copy.batches[0] == [raw(n) for n in range(BATCH_MESSAGES + 8, FIRST_BATCH + BATCH_MESSAGES + 8)]
    assert [command.split()[2] for command in account.heard("UID FETCH")] == ["208:257", "8:207", "1:7"]
    assert sum(map(len, copy.batches)) == len(account.inbox.letters)
    assert (copy.news, copy.changes) == ([], [])
    assert (copy.folder.uid_next, copy.folder.complete_at is not None) == (258, True)


async def test_a_fill_that_is_cut_keeps_what_came_and_goes_on() -> None:
    account = account_of(200)
    copy, sessions = empty_copy(), 0
    account.drops_after = 33
    while copy.folder.complete_at is None:
        sessions += 1
        before = len(copy.held)
        try:
            await copy.follow(account)
        except ConnectionLost:
            assert len(copy.held) == before + 33
    assert sessions == 7
    copy.assert_same_as(account)
    assert sum(map(len, copy.batches)) == 200
    assert copy.news == []


async def test_a_fill_takes_the_window_and_what_may_have_come_from_elsewhere() -> None:
    account = account_of(3)
    new = account.inbox.deliver(raw(4), received=LATER)
    copy = empty_copy()
    await copy.follow(account, since=date(2026, 1, 1))
    assert list(copy.held) == [new]
    other = empty_copy()
    other.homeless_since = datetime(2020, 1, 2, tzinfo=UTC)
    await other.follow(account, since=date(2026, 1, 1))
    assert len(other.held) == 4


@every_server
async def test_news_flags_and_disappearances_are_followed(capabilities: frozenset[str]) -> None:
    account = account_of(10, capabilities)
    copy = await filled(account)
    account.inbox.flag(3, "\\Seen", "work")
    account.inbox.expunge(5)
    account.inbox.deliver(raw(11), "\\Flagged")
    await copy.follow(account)
    copy.assert_same_as(account)
    assert (copy.news, sorted(copy.changes)) == ([raw(11)], [3, 5])

    account.inbox.expunge(11)
    account.inbox.expunge(1)
    await copy.follow(account)
    copy.assert_same_as(account)
    await copy.follow(account)
    copy.assert_same_as(account)
    assert len(copy.news) == 1


@every_server
async def test_a_disappearance_alone_is_seen(capabilities: frozenset[str]) -> None:
    account = account_of(10, capabilities)
    copy = await filled(account)
    account.inbox.expunge(5)
    await copy.follow(account)
    copy.assert_same_as(account)
    assert (copy.news, copy.changes) == ([], [5])


@every_server
async def test_nothing_is_fetched_again_when_nothing_happened(capabilities: frozenset[str]) -> None:
    account = account_of(10, capabilities)
    copy = await filled(account)
    await copy.follow(account)
    assert not [command for command in account.heard("UID FETCH") if "BODY" in command]
    assert len(copy.batches) == 1


async def test_where_messages_are_counted_flags_are_not_read_again() -> None:
    for capabilities in (CONDSTORE, QRESYNC):
        account = account_of(10, capabilities)
        copy = await filled(account)
        await copy.follow(account)
        assert account.heard("UID FETCH") == []


@every_server
async def test_a_session_own_flag_is_no_change(capabilities: frozenset[str]) -> None:
    account = account_of(2, capabilities)
    copy = await filled(account)
    account.inbox.flag(1, "\\Recent")
    await copy.follow(account)
    assert copy.held[1] == (raw(1), frozenset())
    assert copy.changes == []


@every_server
@pytest.mark.parametrize("hides", [False, True])
async def test_a_server_that_repeats_the_last_message_brings_no_news(capabilities: frozenset[str], hides: bool) -> None:
    account = account_of(5, capabilities)
    account.repeats_last = True
    account.hides_uid_next = hides
    copy = await filled(account)
    for _ in range(2):
        await copy.follow(account)
    assert (copy.news, len(copy.batches)) == ([], 1)
    account.inbox.deliver(raw(6))
    await copy.follow(account)
    assert copy.news == [raw(6)]


async def test_history_outside_the_window_is_no_news_where_uidnext_is_not_told() -> None:
    account = account_of(5)
    account.hides_uid_next = True
    copy = empty_copy()
    for _ in range(3):
        await copy.follow(account, since=date(2026, 1, 1))
    assert (copy.held, copy.news) == ({}, [])
    account.inbox.deliver(raw(6))
    await copy.follow(account, since=date(2026, 1, 1))
    await copy.follow(account, since=date(2026, 1, 1))
    assert copy.news == [raw(6)]
    assert copy.folder.uid_next == 7


@every_server
async def test_another_uidvalidity_begins_anew_without_news(capabilities: frozenset[str]) -> None:
    account = account_of(10, capabilities)
    copy = await filled(account)
    account.inbox.restore()
    await copy.follow(account)
    copy.assert_same_as(account)
    assert copy.news == []
    account.inbox.deliver(raw(11))
    await copy.follow(account)
    assert copy.news == [raw(11)]


@every_server
async def test_another_mailbox_under_the_same_uidvalidity_begins_anew(capabilities: frozenset[str]) -> None:
    account = account_of(10, capabilities)
    copy = await filled(account)
    copy.origin = "bob at imap.test"
    other = account_of(10, capabilities)
    other.inbox.letters[4].raw = raw(40)
    await copy.follow(other)
    copy.assert_same_as(other)
    assert (copy.news, copy.folder.origin) == ([], "bob at imap.test")
    other.commands.clear()
    await copy.follow(other)
    assert not [command for command in other.heard("UID FETCH") if "BODY" in command]


@pytest.mark.parametrize("capabilities", [PLAIN, CONDSTORE])
async def test_a_message_that_an_answer_leaves_out_is_not_gone(capabilities: frozenset[str]) -> None:
    account = account_of(10, capabilities)
    copy = await filled(account)
    account.leaves_out = {4, 10}
    account.inbox.flag(2, "\\Seen")
    account.inbox.expunge(7)
    await copy.follow(account)
    copy.assert_same_as(account)


async def test_a_message_that_arrives_while_others_are_fetched_is_fetched_once() -> None:
    account = account_of(3)
    copy = await filled(account)
    account.inbox.deliver(raw(4))
    client = await account.client()
    selected = await client.select("INBOX", read_only=True)
    account.inbox.deliver(raw(5))
    assert selected.uid_next == 5
    await copy.follow(account)
    await copy.follow(account)
    assert copy.news == [raw(4), raw(5)]
    await client.aclose()


@every_server
async def test_a_refusal_is_raised_and_marks_nothing(capabilities: frozenset[str]) -> None:
    account = account_of(3, capabilities)
    account.refuses = {"UID FETCH"}
    copy = empty_copy()
    with pytest.raises(ServerRefused):
        await copy.follow(account)
    assert copy.folder.complete_at is None
    account.refuses = set()
    await copy.follow(account)
    copy.assert_same_as(account)


async def test_a_server_that_claims_billions_is_not_believed() -> None:
    account = account_of(3)
    account.claims = "1:4294967290"
    with pytest.raises(RemoteProtocolError, match="4294967290 messages"):
        await empty_copy().follow(account)


async def test_an_empty_folder_is_complete() -> None:
    account = account_of(0)
    copy = await filled(account)
    assert copy.folder.complete_at is not None
    account.inbox.deliver(raw(1))
    await copy.follow(account)
    assert copy.news == [raw(1)]
