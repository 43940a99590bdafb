"""What the kernel says of the guard, told to processes that may not ask it: a small file that is renewed."""

import asyncio
from collections.abc import Callable
from datetime import datetime
from ipaddress import ip_address
from pathlib import Path

import msgspec

from mooring.clock import Clock
from mooring.egress.guard import GuardMode, GuardState, Leak
from mooring.egress.nftables import Nft
from mooring.errors import ConfigError, Forbidden

LOOK_S = 2.0
"""Seconds between two looks at the kernel; each takes it some milliseconds."""
SILENT_S = 10.0
"""Seconds after which a watch that told nothing more is one that ended: several looks."""

FOLDER = Path("/run/mooring")
"""Root's, and gone after a boot, as the rules are."""


class _Told(msgspec.Struct, frozen=True):
    at: datetime
    mode: GuardMode
    leaks: int | None
    sources: list[str]


class GuardFile:
    """The state of one user's guard, as its watch last told it.

    Args:
        uid: whose connections the guard judges.
    """

    def __init__(self, uid: int, clock: Clock, folder: Path = FOLDER) -> None:
        self._path = folder / f"guard-{uid}.json"
        self._clock = clock

    def read(self) -> GuardState:
        """What was told, if that is recent enough to be true now; never an old number, and never a made-up one."""
        try:
            told = msgspec.json.decode(self._path.read_bytes(), type=_Told)
        except OSError:
            return GuardState(GuardMode.UNWATCHED)
        except msgspec.DecodeError:  # of another version, whose watch does not tell us anything
            return GuardState(GuardMode.SILENT)
        if (self._clock.now() - told.at).total_seconds() > SILENT_S:
            return GuardState(GuardMode.SILENT)
        return GuardState(told.mode, told.leaks, frozenset(map(ip_address, told.sources)))

    def write(self, state: GuardState) -> None:
        """Tell the state, with the time; whoever reads meanwhile reads the one before.

        Raises:
            OSError: this user may not write there.
        """
        told = _Told(self._clock.now(), state.mode, state.leaks, sorted(map(str, state.sources)))
        if not self._path.parent.exists():
            self._path.parent.mkdir(parents=True)
            self._path.parent.chmod(0o755)
        new = self._path.with_suffix(".new")
        new.write_bytes(msgspec.json.encode(told))
        # Root's umask may say otherwise, and it is others that this is for.
        new.chmod(0o644)
        new.replace(self._path)

    def remove(self) -> None:
        """Tell nothing any more."""
        self._path.unlink(missing_ok=True)


async def known_state(uid: int, clock: Clock) -> GuardState:
    """The user's guard as the kernel has it or, for who may not ask, as a watch tells it."""
    try:
        return await Nft().look(uid)
    except (ConfigError, Forbidden):
        return GuardFile(uid, clock).read()


async def watch(
    nft: Nft,
    uid: int,
    file: GuardFile,
    stopped: asyncio.Future[None],
    *,
    told: Callable[[GuardState, frozenset[Leak]], None],
) -> None:
    """Keep the file as the kernel has it until it is stopped; then there is none.

    Args:
        told: called after each look, with what is new among the leaks.
    Raises:
        ConfigError, Forbidden: the kernel cannot be asked. OSError: the file cannot be written.
    """
    before: frozenset[Leak] = frozenset()
    try:
        while not stopped.done():
            state = await nft.look(uid)
            file.write(state)
            told(state, state.recent - before)
            before = state.recent
            await asyncio.wait({stopped}, timeout=LOOK_S)
    finally:
        file.remove()
