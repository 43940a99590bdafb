"""A mail host that drops whom it does not know, and one that answers everybody, while the dashboard is looked at."""

import asyncio
import socket
import threading
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from ipaddress import IPv4Address
from pathlib import Path

from mooring.clock import SystemClock
from mooring.demo.authority import issue_certificate
from mooring.demo.mailhost import open_mail_host

MAIL_HOST, CONTROL = IPv4Address("127.0.24.1"), IPv4Address("127.0.24.9")


@dataclass(frozen=True)
class Served:
    """What serves.

    Attributes:
        imap_port: of ``MAIL_HOST``.
        password: of the account ``email``.
        control: host and port of what answers everybody.
        trust: the authority that signed its certificate.
    """

    imap_port: int
    email: str
    password: str
    control: str
    trust: Path


@contextmanager
def served_mail_host(folder: Path, admitted: Sequence[str]) -> Generator[Served]:
    """The hosts, for as long as the block lasts.

    Args:
        admitted: the addresses that the mail host's administrator has allowed.
    """
    certificate = issue_certificate(folder, MAIL_HOST, SystemClock().now())
    up, served = threading.Event(), list[tuple[int, str, str]]()
    loop, done = asyncio.new_event_loop(), asyncio.Event()

    async def serve() -> None:
        addresses = [IPv4Address(address) for address in admitted]
        async with open_mail_host(MAIL_HOST, addresses, certificate, SystemClock()) as host:
            served.append((host.imap.endpoint.port, host.address, host.password))
            up.set()
            await done.wait()

    thread = threading.Thread(target=loop.run_until_complete, args=[serve()])
    with socket.create_server((str(CONTROL), 0)) as control:
        thread.start()
        try:
            assert up.wait(20)
            port, email, password = served[0]
            yield Served(port, email, password, f"{CONTROL}:{control.getsockname()[1]}", certificate.authority)
        finally:
            loop.call_soon_threadsafe(done.set)
            thread.join()
            loop.close()
