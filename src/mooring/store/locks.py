"""File locks between processes, which the kernel releases when the holder dies, however it dies."""

import asyncio
import errno
import fcntl
import os
from pathlib import Path

# How often a waiter looks again; flock(2) has no waiting that can be cancelled.
_POLL_S = 0.02


class FileLock:
    """One lock on one file; shared or exclusive, held through this object's own file description.

    Two objects on the same file exclude each other even within a process. A file descriptor that a child
    inherits keeps the lock for as long as the child, or any child of the child, lives.
    """

    __slots__ = ("_fd", "path")

    def __init__(self, path: Path) -> None:
        self.path = path
        self._fd = -1

    @property
    def fd(self) -> int:
        """The descriptor that carries the lock; -1 when it is not held."""
        return self._fd

    def take(self, *, shared: bool = False) -> bool:
        """Take the lock if it is free now; whether it was."""
        fd = os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(fd, (fcntl.LOCK_SH if shared else fcntl.LOCK_EX) | fcntl.LOCK_NB)
        except OSError as e:
            os.close(fd)
            if e.errno in {errno.EWOULDBLOCK, errno.EACCES}:
                return False
            raise
        self.release()
        self._fd = fd
        return True

    async def wait(self, *, timeout_s: float) -> None:
        """Take the lock exclusively, waiting for whoever holds it.

        Raises:
            TimeoutError: it was not released in time.
        """
        async with asyncio.timeout(timeout_s):
            while not self.take():  # noqa: ASYNC110 (flock sets no event)
                await asyncio.sleep(_POLL_S)

    def is_held_elsewhere(self) -> bool:
        """Whether somebody else has it in a way that keeps us from having it alone."""
        probe = FileLock(self.path)
        free = probe.take()
        probe.release()
        return not free

    def release(self) -> None:
        """Give it up; children that inherited the descriptor keep it."""
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1
