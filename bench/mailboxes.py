"""Many small mailboxes at once: made quickly, connected, and in step."""

import shutil
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx

from bench.installation import connect
from tests.lab import Dovecot, User, mails
from tests.lab.mailbox import Deposit
from tests.waiting import until

AT_ONCE = 12
"""Connections that are made at the same time."""
PATIENCE_S = 240.0


def alike(dovecot: Dovecot, folder: Path, count: int, messages: int) -> list[User]:
    """So many mailboxes, with the same mail; the first is filled by Dovecot, the others are copies of its files.

    Args:
        folder: that of this Dovecot.
    """
    users = [dovecot.set_user(User(f"alike{number}@lab.test", "alike-password")) for number in range(count)]
    first = users[0].address
    dovecot.append_many(first, "INBOX", [Deposit(mail.raw, mail.flags, mail.date) for mail in mails(messages)])
    homes = folder / "mail"
    for user in users[1:]:
        home = homes / user.address
        owner = home.stat()
        shutil.copytree(homes / first, home, dirs_exist_ok=True)
        for path in (home, *home.rglob("*")):
            shutil.chown(path, owner.st_uid, owner.st_gid)
    return users


def connected(api: httpx.Client, users: Sequence[User]) -> list[str]:
    """Connect these mailboxes, and return their grants once each is in step."""
    with ThreadPoolExecutor(AT_ONCE) as threads:
        grants = list(threads.map(lambda user: connect(api, user), users))

    def all_in_step() -> bool:
        return _in_step(api) >= len(users)

    until(all_in_step, timeout_s=PATIENCE_S, what=f"{len(users)} mailboxes are in step")
    return grants


def _in_step(api: httpx.Client) -> int:
    count = offset = 0
    while True:
        page = api.get("/v3/grants", params={"limit": 200, "offset": offset}).raise_for_status().json()["data"]
        count += sum(1 for grant in page if grant["sync"]["state"] == "ok")
        offset += len(page)
        if len(page) < 200:
            return count
