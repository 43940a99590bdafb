"""``mooring api`` as it is, with loopback addresses as its sources."""

import os
import subprocess
import sys
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

import httpx

from tests.waiting import until

PORT = 18039
STATIC, DYNAMIC = ("127.0.21.1", "127.0.21.2"), ("127.0.22.1",)


def configuration(database_url: str, control: str) -> str:
    """A ``mooring.toml`` with loopback addresses as sources.

    Args:
        control: host and port of what answers every address.
    """
    parts = ['[policy]\nallow_private_targets = ["127.0.24.0/24"]\n']
    parts += [f'[diagnosis]\ncontrol_targets = ["{control}"]\n']
    parts += [f'[server]\nlisten = "127.0.0.1:{PORT}"\n', f'[database]\nurl = "{database_url}"\n']
    for kind, addresses in (("static", STATIC), ("dynamic", DYNAMIC)):
        names = [f"v3-us-{kind}-{number}" for number, _ in enumerate(addresses, start=1)]
        parts += [
            f'[[egress.source]]\nname = "{name}"\naddress = "{address}"\n'
            for name, address in zip(names, addresses, strict=True)
        ]
        listed = ", ".join(f'"{name}"' for name in names)
        parts.append(f'[[egress.pool]]\ngeneration = "v3"\nregion = "us"\nkind = "{kind}"\nsources = [{listed}]\n')
    return "\n".join(parts)


@contextmanager
def served_api(folder: Path, trust: Path) -> Generator[None]:
    """``mooring api`` over this folder's configuration, for as long as the block lasts; it ends without a defect."""
    with (folder / "mooring.log").open("w") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "mooring", "api"], cwd=folder,
            env={**os.environ, "SSL_CERT_FILE": str(trust)}, stdin=subprocess.DEVNULL,
            stdout=log, stderr=log,
        )  # fmt: skip

    def said() -> str:
        return (folder / "mooring.log").read_text()

    def ready() -> bool:
        assert process.poll() is None, said()
        try:
            return httpx.get(f"http://127.0.0.1:{PORT}/readyz").status_code == 200
        except httpx.HTTPError:
            return False

    try:
        until(ready, timeout_s=30, what="/readyz answers 200")
        yield
    finally:
        process.terminate()
        status = process.wait(timeout=20)
    assert status == 0, said()
    assert "defect" not in said()
    assert "Traceback" not in said()
