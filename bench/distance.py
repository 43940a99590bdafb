"""Distance made in user space: two TUN devices, between which every packet is under way for a while.

    this namespace  near0 10.98.0.1 ── 10 ms ──▶ far0 10.98.0.2  bench-far
                                    ◀── 10 ms ──

The kernel of many machines has no netem. A process of its own (``python -m bench.distance DELAY_MS``) reads each
packet from one device and writes it, unchanged, to the other when its time has come. At the far end another one
(``python -m bench.distance listen``) accepts connections and closes them.
"""

import fcntl
import os
import select
import socket
import struct
import subprocess
import sys
import time
from collections import deque
from collections.abc import Generator
from contextlib import contextmanager, suppress

from tests.lab.namespaces import inside, program, run

FAR = "bench-far"
NEAR_ADDRESS = "10.98.0.1"
FAR_ADDRESS = "10.98.0.2"
PORT = 1143

_TUNSETIFF = 0x400454CA  # <linux/if_tun.h>
_IFF_TUN, _IFF_NO_PI = 0x0001, 0x1000
_MTU = 65_536  # bytes; more than any packet has
_TURN = 500  # packets taken from one device before the other has its turn


@contextmanager
def apart(delay_ms: float) -> Generator[None]:
    """A listener at FAR_ADDRESS, ``delay_ms`` away in each direction."""
    ip = program("ip", package="iproute2")
    run(ip, "netns", "add", FAR)
    carrier = _start(str(delay_ms))
    listener: subprocess.Popen[str] | None = None
    try:
        run(ip, "link", "set", "far0", "netns", FAR)
        _plumb([ip], "near0", NEAR_ADDRESS)
        _plumb([*inside(FAR), ip], "far0", FAR_ADDRESS)
        listener = _start("listen", prefix=inside(FAR))
        yield
    finally:
        for process in (listener, carrier):
            if process is not None:
                process.kill()
                process.communicate()
        run(ip, "netns", "delete", FAR)


def _start(*arguments: str, prefix: list[str] | None = None) -> subprocess.Popen[str]:
    """Start one of this file's processes, and wait for its word that it is ready."""
    argv = [*(prefix or []), sys.executable, "-m", "bench.distance", *arguments]
    process = subprocess.Popen(argv, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    if process.stdout.readline() != "ready\n":
        raise RuntimeError(f"{' '.join(arguments)}: the process did not become ready")
    return process


def _plumb(ip: list[str], device: str, address: str) -> None:
    run(*ip, "addr", "add", f"{address}/24", "dev", device)
    run(*ip, "link", "set", device, "up")


def _device(name: str) -> int:
    descriptor = os.open("/dev/net/tun", os.O_RDWR | os.O_NONBLOCK)
    fcntl.ioctl(descriptor, _TUNSETIFF, struct.pack("16sH14x", name.encode(), _IFF_TUN | _IFF_NO_PI))
    return descriptor


def _carry(delay_s: float) -> None:
    """Carry packets both ways for ever. All are delayed alike, so the first to come is the first to go."""
    devices = (_device("near0"), _device("far0"))
    other = dict(zip(devices, reversed(devices), strict=True))
    under_way: deque[tuple[float, int, bytes]] = deque()
    ready = select.poll()
    for device in devices:
        ready.register(device, select.POLLIN)
    print("ready", flush=True)
    while True:
        left_ms = (under_way[0][0] - time.monotonic()) * 1000 if under_way else None
        # poll() counts in whole milliseconds; the last one is spent asking, so that no packet is late.
        for device, _ in ready.poll(None if left_ms is None else max(0, int(left_ms - 0.5))):
            for packet in _packets(device):
                under_way.append((time.monotonic() + delay_s, other[device], packet))
        while under_way and under_way[0][0] <= time.monotonic():
            _, to, packet = under_way.popleft()
            # A device that is not up yet loses packets, as a cable would.
            with suppress(OSError):
                os.write(to, packet)


def _packets(device: int) -> Generator[bytes]:
    for _ in range(_TURN):
        try:
            yield os.read(device, _MTU)
        except (BlockingIOError, OSError):
            return


def _listen() -> None:
    with socket.create_server((FAR_ADDRESS, PORT), backlog=1024) as server:
        print("ready", flush=True)
        while True:
            server.accept()[0].close()


if __name__ == "__main__":
    match sys.argv[1]:
        case "listen":
            _listen()
        case delay_ms:
            _carry(float(delay_ms) / 1000)
