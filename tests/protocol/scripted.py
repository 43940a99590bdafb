"""A stream whose far end follows a script, byte for byte, with no socket anywhere.

    stream = scripted(
        "S: * OK hello",
        "C: M1 NOOP",
        "S: M1 OK done",
        END,
    )

Text steps end in CRLF by themselves; ``said`` and ``heard`` are for exact bytes. What the client sends must be what
the script says, in order; a client that waits where the script expects it to speak fails the test at once.
"""

import asyncio
from dataclasses import dataclass, field

from mooring.errors import ConnectionLost, ReadTimeout
from mooring.net import Endpoint


@dataclass(frozen=True, slots=True)
class said:  # noqa: N801 - reads as a word of the script
    """The server sends exactly these bytes."""

    data: bytes


@dataclass(frozen=True, slots=True)
class heard:  # noqa: N801 - reads as a word of the script
    """The client sends exactly these bytes."""

    data: bytes


@dataclass(frozen=True, slots=True)
class Mark:
    """Something that happens to the connection."""

    name: str


END = Mark("the server closes the connection")
RESET = Mark("the connection breaks")
SILENCE = Mark("nothing comes until the time is over")
FOREVER = Mark("nothing comes, and nobody looks at the time")
TLS = Mark("the client begins TLS")

Step = said | heard | Mark


def steps(*lines: "str | Step") -> list[Step]:
    """Lines that begin with ``S: `` or ``C: ``, and steps, as steps."""
    made: list[Step] = []
    for line in lines:
        match line:
            case str() if line.startswith("S: "):
                made.append(said(line[3:].encode() + b"\r\n"))
            case str():
                assert line.startswith("C: "), f"neither S: nor C: in {line!r}"
                made.append(heard(line[3:].encode() + b"\r\n"))
            case _:
                made.append(line)
    return made


_OURS = Endpoint("192.0.2.1", 40000)
_THEIRS = Endpoint("192.0.2.2", 143)


@dataclass(slots=True)
class ScriptedStream:
    """A Stream over a script.

    Attributes:
        chunk: bytes that one ``receive`` gives at most.
        waiting: set while a ``receive`` stands at FOREVER.
    """

    script: list[Step]
    chunk: int = 64 * 1024
    host: str = "imap.test"
    is_closed: bool = False
    is_tls: bool = False
    waiting: asyncio.Event = field(default_factory=asyncio.Event)
    local: Endpoint = _OURS
    peer: Endpoint = _THEIRS

    async def receive(self, *, timeout_s: float | None = None) -> bytes:
        """Give the next bytes of the script; neighbouring steps come together, as on a real line."""
        data = b""
        while self.script and len(data) < self.chunk:
            step = self.script[0]
            if not isinstance(step, said):
                break
            self.script.pop(0)
            data += step.data
        if len(data) > self.chunk:
            self.script.insert(0, said(data[self.chunk :]))
        return data[: self.chunk] or await self._nothing()

    async def _nothing(self) -> bytes:
        step = self.script[0] if self.script else None
        if step is END:
            return b""
        if step is RESET:
            raise ConnectionLost("the connection broke", detail="Connection reset by peer")
        if step is SILENCE:
            self.script.pop(0)
            raise ReadTimeout("nothing came")
        if step is FOREVER:
            self.script.pop(0)
            self.waiting.set()
            await asyncio.get_running_loop().create_future()
        raise AssertionError(f"the client waits, but the script goes on with {step}")

    async def send(self, data: bytes, *, timeout_s: float | None = None) -> None:
        """Compare with the script."""
        while data:
            step = self.script.pop(0) if self.script else None
            if step is RESET:
                raise ConnectionLost("the connection broke", detail="Broken pipe")
            assert isinstance(step, heard), f"the client sent {data[:200]!r}, but the script goes on with {step}"
            common = min(len(step.data), len(data))
            assert data[:common] == step.data[:common], f"sent {data[:200]!r}, due {step.data[:200]!r}"
            if len(step.data) > common:
                self.script.insert(0, heard(step.data[common:]))
            data = data[common:]

    async def start_tls(self, *, timeout_s: float | None = None) -> None:
        step = self.script.pop(0) if self.script else None
        assert step is TLS, f"the client began TLS, but the script goes on with {step}"
        self.is_tls = True

    async def aclose(self) -> None:
        self.is_closed = True

    def assert_done(self) -> None:
        """The script was played to its end."""
        left = [step for step in self.script if step is not END]
        assert not left, f"not played: {left}"


def scripted(*lines: "str | Step", chunk: int = 64 * 1024) -> ScriptedStream:
    """A stream that plays this script."""
    return ScriptedStream(steps(*lines), chunk)
