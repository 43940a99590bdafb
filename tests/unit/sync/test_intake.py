"""Messages that cannot be had: found, passed over, tried again alone; all others are there as if nothing was."""

from contextlib import suppress

import pytest

from mooring.errors import ConnectionLost, MooringError, RemoteProtocolError, ServerRefused
from mooring.mail import Obstacle
from mooring.sync.folder import FIRST_BATCH
from mooring.sync.intake import GIVE_UP
from mooring.sync.line import DEFECTS
from tests.mailhost import Account
from tests.unit.sync.copies import Copy, empty_copy

COUNT = 430


def raw(number: int) -> bytes:
    return b"Subject: %d\r\n\r\n" % number


def account_of(count: int = COUNT) -> Account:
    account = Account()
    for number in range(1, count + 1):
        account.inbox.deliver(raw(number))
    return account


def bodies(account: Account) -> list[str]:
    """The sets of UIDs whose bodies were asked for since this was asked last."""
    return [command.split()[2] for command in account.heard("UID FETCH") if "BODY" in command]


def assert_all_but(copy: Copy, account: Account, missing: set[int]) -> None:
    assert set(copy.held) == account.inbox.letters.keys() - missing
    assert set(copy.passed) == missing
    assert copy.folder.complete_at is not None


@pytest.mark.parametrize("gives_others", [False, True])
@pytest.mark.parametrize("denied", [{3}, {COUNT}, {COUNT - FIRST_BATCH}, {200, 201}, {1, 77, 250, 251, 252, 400}])
async def test_a_fill_takes_all_but_what_is_refused(denied: set[int], gives_others: bool) -> None:
    account = account_of()
    account.denies, account.gives_others = denied, gives_others
    copy = empty_copy()
    await copy.follow(account)
    assert_all_but(copy, account, denied)
    assert all(obstacles == [Obstacle.REFUSED] for obstacles in copy.passed.values())
    assert copy.news == []
    assert sum(map(len, copy.batches)) == COUNT - len(denied), "nothing is fetched twice"
    assert len(bodies(account)) < 10 + 18 * len(denied)
    await copy.follow(account)
    assert bodies(account) == []


async def test_an_unfinished_fill_does_not_begin_with_what_was_passed_over_again() -> None:
    account = account_of()
    account.denies = {COUNT}
    account.drops_after = 60
    copy = empty_copy()
    with pytest.raises(ConnectionLost):
        await copy.follow(account)
    assert set(copy.passed) == {COUNT}
    account.drops_after = None
    account.commands.clear()
    await copy.follow(account)
    assert_all_but(copy, account, {COUNT})
    assert len(bodies(account)) < 5


@pytest.mark.parametrize("hides_uid_next", [False, True])
@pytest.mark.parametrize("denied", [{11}, {12}, {13}, {11, 13}])
async def test_news_arrive_around_what_is_refused(denied: set[int], hides_uid_next: bool) -> None:
    account = account_of(10)
    account.hides_uid_next = hides_uid_next
    copy = empty_copy()
    await copy.follow(account)
    for number in (11, 12, 13):
        account.inbox.deliver(raw(number))
    account.denies = denied
    await copy.follow(account)
    assert_all_but(copy, account, denied)
    assert sorted(copy.news) == [raw(n) for n in (11, 12, 13) if n not in denied]
    account.commands.clear()
    await copy.follow(account)
    assert all(asked == "14:*" for asked in bodies(account))


async def test_one_piece_of_news_that_is_refused_keeps_nothing_from_going_on() -> None:
    account = account_of(10)
    copy = empty_copy()
    await copy.follow(account)
    account.inbox.deliver(raw(11))
    account.denies = {11}
    await copy.follow(account)
    assert_all_but(copy, account, {11})
    account.inbox.deliver(raw(12))
    await copy.follow(account)
    assert copy.news == [raw(12)]


async def test_a_folder_whose_messages_are_all_refused_is_refused() -> None:
    account = account_of()
    account.denies = set(range(1, COUNT + 1))
    copy = empty_copy()
    with pytest.raises(ServerRefused):
        await copy.follow(account)
    assert (copy.passed, copy.folder.complete_at) == ({}, None)
    assert len(bodies(account)) <= GIVE_UP + 2
    account.denies = set()
    await copy.follow(account)
    copy.assert_same_as(account)


@pytest.mark.parametrize("broken", [{3}, {COUNT}, {200, 201}])
async def test_a_connection_that_ends_at_one_message_again_and_again_costs_only_that(broken: set[int]) -> None:
    account = account_of()
    account.breaks_at = broken
    copy, sessions = empty_copy(), 0
    while copy.folder.complete_at is None:
        sessions += 1
        with suppress(ConnectionLost):
            await copy.follow(account)
    assert_all_but(copy, account, broken)
    assert all(obstacles == [Obstacle.CUT] for obstacles in copy.passed.values())
    assert sessions <= 1 + 3 * len(broken)


async def test_news_at_which_connections_end_keep_no_others_out() -> None:
    account = account_of(10)
    copy = empty_copy()
    await copy.follow(account)
    account.breaks_at = {12}
    for number in (11, 12, 13):
        account.inbox.deliver(raw(number))
    sessions = 0
    while copy.folder.uid_next != 14:
        sessions += 1
        with suppress(ConnectionLost):
            await copy.follow(account)
    assert_all_but(copy, account, {12})
    assert copy.news == [raw(11), raw(13)]
    assert sessions <= 4


async def test_what_a_server_leaves_out_though_it_finds_it_is_passed_over() -> None:
    account = account_of()
    account.holds_back = {5, 400}
    copy = empty_copy()
    await copy.follow(account)
    assert_all_but(copy, account, {5, 400})
    assert copy.passed == {5: [Obstacle.LEFT_OUT], 400: [Obstacle.LEFT_OUT]}


async def test_a_server_that_leaves_out_everything_has_not_been_read() -> None:
    account = account_of()
    account.holds_back = set(range(1, COUNT + 1))
    copy = empty_copy()
    with pytest.raises(RemoteProtocolError, match="gives none"):
        await copy.follow(account)
    assert (copy.passed, copy.folder.complete_at) == ({}, None)


@pytest.mark.parametrize("kind", [Obstacle.UNREADABLE, Obstacle.UNSTORABLE])
@pytest.mark.parametrize("numbers", [{3}, {COUNT}, {50, 51, 300}])
async def test_what_we_fail_with_is_passed_over(kind: Obstacle, numbers: set[int]) -> None:
    account = account_of()
    copy = empty_copy()
    odd = copy.unreadable if kind is Obstacle.UNREADABLE else copy.unstorable
    odd |= {raw(number) for number in numbers}
    await copy.follow(account)
    assert_all_but(copy, account, numbers)
    assert all(obstacles == [kind] for obstacles in copy.passed.values())
    account.commands.clear()
    account.inbox.deliver(raw(COUNT + 1))
    odd.add(raw(COUNT + 1))
    await copy.follow(account)
    assert set(copy.passed) == {*numbers, COUNT + 1}
    await copy.follow(account)
    assert len(bodies(account)) == 1


@pytest.mark.parametrize("kind", [Obstacle.UNREADABLE, Obstacle.UNSTORABLE])
async def test_when_we_fail_with_everything_nothing_is_passed_over(kind: Obstacle) -> None:
    account = account_of()
    copy = empty_copy()
    odd = copy.unreadable if kind is Obstacle.UNREADABLE else copy.unstorable
    odd |= {raw(number) for number in range(1, COUNT + 1)}
    with pytest.raises(ValueError if kind is Obstacle.UNREADABLE else MooringError):
        await copy.follow(account)
    assert (copy.passed, copy.folder.complete_at) == ({}, None)
    odd -= {raw(number) for number in range(1, COUNT + 1 - DEFECTS)}
    await copy.follow(account)
    assert_all_but(copy, account, set(range(COUNT + 1 - DEFECTS, COUNT + 1)))


async def test_what_is_due_is_asked_for_again_alone() -> None:
    account = account_of(20)
    account.denies, account.holds_back = {3, 4}, {5, 6}
    copy = empty_copy()
    copy.unreadable = {raw(7), raw(8)}
    await copy.follow(account)
    assert_all_but(copy, account, {3, 4, 5, 6, 7, 8})

    account.denies, account.holds_back = {3}, {5}
    copy.unreadable = {raw(7)}
    account.inbox.letters.pop(9)
    account.commands.clear()
    await copy.follow(account, again={3: False, 4: True, 5: False, 6: False, 7: False, 8: True, 9: False})
    assert bodies(account) == ["3", "4", "5", "6", "7", "8", "9"]
    assert set(copy.held) == account.inbox.letters.keys() - {3, 5, 7}
    assert copy.settled == [4, 6, 8, 9]
    assert {uid: len(obstacles) for uid, obstacles in copy.passed.items()} == {3: 2, 4: 1, 5: 2, 6: 1, 7: 2, 8: 1}
    assert copy.news == [raw(4), raw(8)]


async def test_a_connection_that_ends_once_more_counts_against_what_is_due() -> None:
    account = account_of(20)
    account.denies = {3}
    copy = empty_copy()
    await copy.follow(account)
    account.denies, account.breaks_at = set(), {3}
    with pytest.raises(ConnectionLost):
        await copy.follow(account, again={3: False})
    assert copy.passed == {3: [Obstacle.REFUSED, Obstacle.CUT]}
    account.inbox.deliver(raw(21))
    await copy.follow(account)
    assert copy.news == [raw(21)]
