"""Names are looked up over few threads: no application has them all, and who asks for the same name shares."""

import asyncio
import threading
from collections import defaultdict
from collections.abc import Callable, Iterator
from ipaddress import ip_address

import pytest

from mooring.config import IPAddress
from mooring.egress.names import SharedResolver
from mooring.errors import NameNotFound, ResolverBusy, ResolverTimeout
from tests.waiting import until_async

SOON_S = 0.1
"""Seconds after which a look-up is given up that is not meant to end."""
LATE_S = 10.0
"""Seconds within which one surely ends that is meant to."""


class NameServers:
    """Look-ups that end when the test lets them.

    Attributes:
        begun: the names that were asked for, in order.
    """

    def __init__(self) -> None:
        self.begun: list[str] = []
        self.answers: dict[str, list[str]] = {}
        self._answering: defaultdict[str, threading.Event] = defaultdict(threading.Event)

    def __call__(self, host: str, port: int) -> list[IPAddress]:
        self.begun.append(host)
        self._answering[host].wait(30)
        if host in self.answers and not self.answers[host]:
            raise NameNotFound(f"the name of {host} has no address")
        return [ip_address(self.answers[host].pop(0) if host in self.answers else "192.0.2.1")]

    def answer(self, *hosts: str) -> None:
        """Let the look-ups of these names end, now and from now on."""
        for host in hosts:
            self._answering[host].set()

    def close(self) -> None:
        """Let every thread go."""
        for gate in list(self._answering.values()):
            gate.set()


@pytest.fixture
def servers() -> Iterator[NameServers]:
    held = NameServers()
    yield held
    held.close()


Ask = Callable[..., asyncio.Task[list[IPAddress]]]


def asking(resolver: SharedResolver) -> Ask:
    """Asks for a name, for an application."""

    def ask(application_id: str, host: str, timeout_s: float = LATE_S) -> asyncio.Task[list[IPAddress]]:
        return asyncio.ensure_future(resolver(host, 993, timeout_s=timeout_s, application_id=application_id))

    return ask


async def begun(servers: NameServers, *hosts: str) -> None:
    """Wait until these look-ups, and no others, have a thread."""

    async def so() -> bool:
        return sorted(servers.begun) == sorted(hosts)

    await until_async(so, what=f"{hosts} are being looked up; begun: {servers.begun}")


async def given_up(*tasks: asyncio.Task[list[IPAddress]]) -> None:
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


async def test_an_application_with_dead_name_servers_fills_its_own_share_and_nobody_elses(
    servers: NameServers,
) -> None:
    ask = asking(SharedResolver(servers, threads=4, share=2))
    dead = [ask("greedy", f"dead-{n}.test") for n in range(20)]
    await begun(servers, "dead-0.test", "dead-1.test")
    servers.answer("good.test")
    assert await ask("modest", "good.test") == [ip_address("192.0.2.1")]
    assert servers.begun == ["dead-0.test", "dead-1.test", "good.test"]
    await given_up(*dead)


async def test_a_full_share_is_ours_to_tell_and_not_the_name_servers(servers: NameServers) -> None:
    ask = asking(SharedResolver(servers, threads=4, share=1))
    dead = ask("greedy", "dead.test")
    await begun(servers, "dead.test")
    with pytest.raises(ResolverBusy, match=r"next\.test was not looked up") as caught:
        await ask("greedy", "next.test", SOON_S)
    assert caught.value.reason == "resolver_busy"
    assert servers.begun == ["dead.test"]
    await given_up(dead)


async def test_no_free_thread_is_ours_to_tell(servers: NameServers) -> None:
    ask = asking(SharedResolver(servers, threads=2, share=1))
    dead = [ask("one", "dead-1.test"), ask("two", "dead-2.test")]
    await begun(servers, "dead-1.test", "dead-2.test")
    with pytest.raises(ResolverBusy):
        await ask("three", "good.test", SOON_S)
    await given_up(*dead)


async def test_a_silent_name_server_is_theirs(servers: NameServers) -> None:
    ask = asking(SharedResolver(servers))
    with pytest.raises(ResolverTimeout, match=r"no name server answered for dead\.test"):
        await ask("one", "dead.test", SOON_S)
    # Who asks while that look-up still holds its thread waits for the same silence.
    with pytest.raises(ResolverTimeout):
        await ask("one", "dead.test", SOON_S)
    assert servers.begun == ["dead.test"]


async def test_a_name_server_that_was_asked_late_is_not_to_blame(servers: NameServers) -> None:
    ask = asking(SharedResolver(servers, threads=1, share=1))
    first = ask("one", "first.test")
    await begun(servers, "first.test")
    timeout_s = 1.0
    second = ask("two", "second.test", timeout_s)
    asyncio.get_running_loop().call_later(timeout_s * 0.8, servers.answer, "first.test")
    with pytest.raises(ResolverBusy):
        await second
    await first


async def test_a_thread_goes_to_who_has_the_fewest(servers: NameServers) -> None:
    ask = asking(SharedResolver(servers, threads=2, share=2))
    earlier = [ask("greedy", f"greedy-{n}.test") for n in range(4)]
    await begun(servers, "greedy-0.test", "greedy-1.test")
    later = ask("modest", "modest.test")
    await asyncio.wait([later], timeout=0)
    servers.answer("greedy-0.test")
    await earlier[0]
    await begun(servers, "greedy-0.test", "greedy-1.test", "modest.test")
    servers.answer("modest.test")
    await later
    await begun(servers, "greedy-0.test", "greedy-1.test", "modest.test", "greedy-2.test")
    await given_up(*earlier)


async def test_who_asks_for_the_same_name_at_the_same_time_shares_one_look_up(servers: NameServers) -> None:
    servers.answers["mail.test"] = ["192.0.2.1", "192.0.2.2"]
    ask = asking(SharedResolver(servers))
    many = [ask("one", "mail.test") for _ in range(1000)]
    await begun(servers, "mail.test")
    servers.answer("mail.test")
    assert {tuple(answer) for answer in await asyncio.gather(*many)} == {(ip_address("192.0.2.1"),)}
    assert servers.begun == ["mail.test"]
    # Nothing is kept: a name that leads elsewhere a moment later is judged anew.
    assert await ask("one", "mail.test") == [ip_address("192.0.2.2")]


async def test_applications_do_not_share(servers: NameServers) -> None:
    ask = asking(SharedResolver(servers, threads=4, share=1))
    waiting = [ask("one", "dead.test"), ask("one", "mail.test"), ask("two", "mail.test")]
    await begun(servers, "dead.test", "mail.test")
    servers.answer("mail.test")
    await waiting[2]
    assert not waiting[1].done()
    await given_up(*waiting)


async def test_a_failure_is_told_to_all_who_share_it_and_frees_the_thread(servers: NameServers) -> None:
    servers.answers["gone.test"] = []
    servers.answer("gone.test", "mail.test")
    ask = asking(SharedResolver(servers, threads=1, share=1))
    told = await asyncio.gather(ask("one", "gone.test"), ask("one", "gone.test"), return_exceptions=True)
    assert [type(error) for error in told] == [NameNotFound, NameNotFound]
    assert await ask("one", "mail.test") == [ip_address("192.0.2.1")]


async def test_what_nobody_waits_for_any_more_is_not_looked_up(servers: NameServers) -> None:
    ask = asking(SharedResolver(servers, threads=1, share=1))
    first, unwanted, wanted = (ask("one", f"{name}.test") for name in ("first", "unwanted", "wanted"))
    await begun(servers, "first.test")
    await given_up(unwanted)
    servers.answer("first.test", "wanted.test")
    await asyncio.gather(first, wanted)
    assert servers.begun == ["first.test", "wanted.test"]


async def test_what_was_given_up_under_way_gives_its_thread_back_in_the_end(servers: NameServers) -> None:
    ask = asking(SharedResolver(servers, threads=1, share=1))
    first = ask("one", "first.test")
    await begun(servers, "first.test")
    await given_up(first)
    second = ask("one", "second.test")
    servers.answer("first.test", "second.test")
    await second
    assert servers.begun == ["first.test", "second.test"]
