"""Become somebody whom PostgreSQL accepts, then become the program.

PostgreSQL refuses to run with effective user 0. Started as root, Mooring runs this file by its path
(``python -I -S``: it imports nothing but the standard library, so it costs 15 ms) in one of two ways:

``namespace UID GID``
    A new user namespace in which our uid 0 bears the name UID. To everybody outside the process stays
    root's, so files, parent folders and signals need no change at all; inside, it has no privilege left.
``setuid UID GID``
    Where the kernel refuses user namespaces: really become UID. Then every parent folder of the cluster
    and of the program must be open to that user, which is checked here, as that user.

Usage: ``postgres_exec.py MODE UID GID CLUSTER PROGRAM [ARGUMENT …]``
"""

import ctypes
import os
import sys
from pathlib import Path

# <linux/sched.h>
CLONE_NEWUSER = 0x10000000
# Exit statuses of <sysexits.h>, so that the caller can tell them from the program's own.
EX_UNAVAILABLE = 69
EX_NOPERM = 77


def enter_namespace(uid: int, gid: int) -> None:
    """Map our uid and gid to these in a new user namespace.

    Raises:
        OSError: the kernel, or a sandbox around us, does not allow it.

    Source: user_namespaces(7).
    """
    outer_uid, outer_gid = os.geteuid(), os.getegid()
    libc = ctypes.CDLL(None, use_errno=True)
    unshare = getattr(libc, "unshare", None)
    if unshare is None or unshare(CLONE_NEWUSER) != 0:
        raise OSError(ctypes.get_errno(), "unshare")
    Path("/proc/self/setgroups").write_text("deny")
    Path("/proc/self/uid_map").write_text(f"{uid} {outer_uid} 1")
    Path("/proc/self/gid_map").write_text(f"{gid} {outer_gid} 1")


def become(uid: int, gid: int) -> None:
    """Give up root for good."""
    os.setgroups([])
    os.setgid(gid)
    os.setuid(uid)


def closed_parent(path: str) -> str:
    """The first folder on the way to this path that we may not pass through, or ""."""
    for folder in reversed(Path(path).parents):
        if not os.access(folder, os.X_OK):
            return str(folder)
    return ""


def main(arguments: list[str]) -> int:
    """Change identity and exec; comes back only when that failed, with an exit status."""
    mode, uid, gid, cluster, program, *_ = arguments
    try:
        if mode == "namespace":
            enter_namespace(int(uid), int(gid))
        else:
            become(int(uid), int(gid))
    except OSError as e:
        sys.stderr.write(f"cannot change identity: {e}\n")
        return EX_UNAVAILABLE
    for path in (cluster, program):
        if folder := closed_parent(path):
            sys.stderr.write(folder)
            return EX_NOPERM
    return os.execv(program, arguments[4:])  # noqa: S606 (the whole purpose of this file)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
