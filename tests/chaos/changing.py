"""Mailboxes that never rest: mail arrives, is read, starred and deleted, until it is enough."""

import random
import threading
from collections.abc import Sequence
from types import TracebackType
from typing import Self

from tests.lab.dovecot import User
from tests.lab.laboratory import Laboratory
from tests.lab.mails import mails

PAUSES_S = (0.02, 0.2)
"""Seconds between two changes, from and to."""
MOST_AT_ONCE = 6
"""Messages that arrive together."""


class Changes:
    """Changes mailboxes for as long as the block lasts, from a thread of its own."""

    def __init__(self, lab: Laboratory, users: Sequence[User], *, seed: int) -> None:
        self._dovecot = lab.dovecot
        self._chance = random.Random(seed)
        self._arriving = {user: mails(1_000_000, seed=seed + n, to=user.address) for n, user in enumerate(users)}
        self._held: dict[User, list[int]] = {user: [] for user in users}
        self._enough = threading.Event()
        self._thread = threading.Thread(target=self._run, name="changes")
        self._failure: BaseException | None = None
        self.made = 0
        """Changes so far: a clock that goes on whatever dies."""

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, failure: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._enough.set()
        self._thread.join()
        if self._failure is not None and failure is None:
            raise self._failure

    def count(self, user: User) -> int:
        """Messages that the mailbox holds."""
        return len(self._held[user])

    def _run(self) -> None:
        try:
            while not self._enough.wait(self._chance.uniform(*PAUSES_S)):
                self._change(self._chance.choice(list(self._held)))
                self.made += 1
        except BaseException as e:
            self._failure = e

    def _change(self, user: User) -> None:
        held, chance = self._held[user], self._chance
        match chance.random():
            case luck if luck < 0.6 or len(held) < 10:
                many = [next(self._arriving[user]) for _ in range(chance.randint(1, MOST_AT_ONCE))]
                held += self._dovecot.append_many(user.address, "INBOX", many)
            case luck if luck < 0.9:
                flags = chance.choice(([], ["\\Seen"], ["\\Flagged"], ["\\Seen", "\\Flagged"]))
                self._dovecot.set_flags(user.address, "INBOX", chance.sample(held[-50:], 3), flags)
            case _:
                self._dovecot.expunge(user.address, "INBOX", [held.pop(chance.randrange(len(held)))])
