"""The guard's effects on the kernel: apply, remove and look, all by the program ``nft``."""

import asyncio
import json
import os
import shutil

from mooring.egress.guard import Guard, GuardMode, GuardState, read_listing, ruleset, table_of
from mooring.errors import ConfigError, Forbidden

_FOLDERS = os.pathsep.join(("/usr/sbin", "/sbin", "/usr/local/sbin"))
"""Where nft is, and an ordinary user's PATH does not lead."""


class Nft:
    """The kernel's packet filter of this network namespace.

    Args:
        search: the folders that nft is looked for in; those of PATH, and of the administrator's, if left out.
    Every method raises:
        ConfigError: there is no nft, or it refuses. Forbidden: this process may not.
    """

    def __init__(self, search: str = "") -> None:
        self._search = search or f"{os.environ.get('PATH', os.defpath)}{os.pathsep}{_FOLDERS}"

    async def apply(self, guard: Guard) -> None:
        """Put these rules in place of those that the user's table had, all at once; the count goes on."""
        status, _, said = await self._run("-f", "-", stdin=ruleset(guard))
        if status:
            raise _refusal(said)

    async def remove(self, uid: int) -> bool:
        """Take the user's table away; whether there was one."""
        status, _, said = await self._run("delete", "table", "inet", table_of(uid))
        if status and not _is_missing(said):
            raise _refusal(said)
        return not status

    async def look(self, uid: int) -> GuardState:
        """What the kernel says of the user's guard."""
        status, listing, said = await self._run("-j", "list", "table", "inet", table_of(uid))
        if status == 0:
            return read_listing(json.loads(listing))
        if _is_missing(said):
            return GuardState(GuardMode.NOT_APPLIED)
        raise _refusal(said)

    async def _run(self, *words: str, stdin: str = "") -> tuple[int, str, str]:
        program = shutil.which("nft", path=self._search)
        if program is None:
            raise ConfigError(
                "nft is not installed, so the kernel cannot be asked to guard the exits",
                hint="apt-get install nftables",
            )
        process = await asyncio.create_subprocess_exec(
            program,
            *words,
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            # Its words are looked at, so they are to be those of no other language.
            env={**os.environ, "LC_ALL": "C"},
            # A Ctrl-C is for us, not for it in the middle of its work.
            start_new_session=True,
        )
        out, err = await process.communicate(stdin.encode())
        return await process.wait(), out.decode(), err.decode("utf-8", "replace")


def _is_missing(said: str) -> bool:
    return "No such file or directory" in said


def _refusal(said: str) -> ConfigError | Forbidden:
    if "Operation not permitted" in said:
        return Forbidden(
            "this user may neither see nor change the kernel's rules",
            hint="Run it as root (sudo), or with CAP_NET_ADMIN.",
        )
    first = next(iter(said.strip().splitlines()), "it says nothing")
    return ConfigError(
        f"nft refuses the guard: {first}", hint="The guard is tried with nftables 1.0.6, that of Debian 12."
    )
