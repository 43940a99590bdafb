"""A real name server: dnsmasq, on an address and a port of its own, with the records of the test alone."""

import re
import shutil
import subprocess
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from ipaddress import IPv4Address
from pathlib import Path

from mooring.net import Endpoint
from mooring.net.listener import free_port

ADDRESS = "127.0.2.53"


@contextmanager
def name_server(*records: str, address: str = ADDRESS, arguments: Sequence[str] = ()) -> Generator[Endpoint]:
    """It answers what the records say, in dnsmasq's spelling, and for every other name that there is none."""
    program = shutil.which("dnsmasq", path="/usr/sbin:/usr/bin:/sbin")
    assert program is not None, "dnsmasq is not installed; install it with: apt-get install dnsmasq-base"
    port = free_port(IPv4Address(address))
    options = [
        "--keep-in-foreground", "--conf-file=/dev/null", "--no-resolv", "--no-hosts", "--bind-interfaces", "--user=",
        "--log-facility=-", "--pid-file=", f"--listen-address={address}", f"--port={port}", "--local=/test/",
        *(f"--{record}" for record in records), *arguments,
    ]  # fmt: skip
    process = subprocess.Popen([program, *options], stderr=subprocess.PIPE, text=True)
    try:
        assert process.stderr is not None
        said: list[str] = []
        for line in process.stderr:
            said.append(line)
            if re.search(r"started, version", line):
                break
        assert process.poll() is None, "".join(said)
        yield Endpoint(address, port)
    finally:
        process.terminate()
        process.communicate(timeout=20)


def resolv_conf(folder: Path, *lines: str) -> Path:
    """A file as ``/etc/resolv.conf`` is."""
    file = folder / "resolv.conf"
    file.write_text("\n".join(lines) + "\n")
    return file
