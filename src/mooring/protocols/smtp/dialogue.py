"""Commands and replies over a stream that is already open: aiosmtplib's protocol on our transport.

aiosmtplib never dials here. The greeting is read from the stream, since it may have come before anybody
listened; then the transport is handed to aiosmtplib's protocol. TLS is the stream's work; the protocol
that spoke in clear is thrown away with all that it had buffered, so nothing injected before the
handshake can be taken for an answer after it (RFC 3207 §4.2).
"""

import asyncio
import re
from collections.abc import Generator, Iterator
from contextlib import contextmanager

from aiosmtplib import SMTPResponse
from aiosmtplib.errors import SMTPResponseException, SMTPServerDisconnected
from aiosmtplib.protocol import SMTPProtocol

from mooring.errors import ConnectionLost, NetworkError, ReadTimeout, RemoteProtocolError, WriteTimeout
from mooring.net import TcpStream
from mooring.protocols.smtp.types import Reply, SendTimeouts, Step

EXCERPT = 200
"""Characters of a malformed answer that an error quotes."""

_CONTROLS = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]")


class _Wire(SMTPProtocol):
    """aiosmtplib's protocol, which remembers what the server said without being asked."""

    def __init__(self) -> None:
        super().__init__(asyncio.get_running_loop())
        self._stray = bytearray()
        self._before: asyncio.BaseProtocol | None = None

    def attach(self, transport: asyncio.WriteTransport, *, greeted: bool) -> None:
        """Take over a transport that is connected.

        Args:
            greeted: the greeting was read, so nothing is due until a command is sent.
        """
        self._before = transport.get_protocol()
        self.connection_made(transport)
        self._response_pending = not greeted

    def connection_lost(self, exc: Exception | None) -> None:
        super().connection_lost(exc)
        # The stream waits for the end of its connection, too: a berth is given back then.
        if self._before is not None:
            self._before.connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        if not self._response_pending or self.is_answered:
            self._stray += data[: EXCERPT - len(self._stray)]
        super().data_received(data)

    @property
    def is_answered(self) -> bool:
        return self._response_waiter is not None and self._response_waiter.done()

    def take_stray(self) -> str:
        """What came although no answer was due; forgotten afterwards."""
        stray = bytes(self._stray + self._buffer)[:EXCERPT]
        self._stray.clear()
        self._buffer.clear()
        return clean(stray.decode("utf-8", "replace"))

    async def write_block(self, block: bytes, *, timeout_s: float) -> None:
        """Hand over a block; returns when there is room for the next, and everybody else had a turn."""
        self._response_pending = True
        self.write(block)
        async with asyncio.timeout(timeout_s):
            await self._drain_helper()
            await asyncio.sleep(0)


class Dialogue:
    """One question, one whole reply; after any failure of the connection, no more questions.

    Attributes:
        dot_sent: the end of the message has been handed over.
    """

    __slots__ = ("_is_broken", "_stream", "_wire", "dot_sent", "peer")

    def __init__(self, stream: TcpStream) -> None:
        self._stream = stream
        self._wire = _Wire()
        self._is_broken = False
        self.dot_sent = False
        self.peer = f"{stream.host}:{stream.peer.port}"

    @property
    def is_encrypted(self) -> bool:
        return self._stream.tls is not None

    @property
    def is_usable(self) -> bool:
        return not self._is_broken and self._wire.is_connected

    async def greeting(self, *, timeout_s: float) -> Reply:
        """Wait for the server to speak first, then take over the transport.

        Raises:
            ReadTimeout, ConnectionLost, RemoteProtocolError.
        """
        wire = self._wire
        with self._step(Step.GREETING):
            wire.attach(self._stream.transport, greeted=False)
            try:
                async with asyncio.timeout(timeout_s):
                    while not wire.is_answered:
                        heard = await self._stream.receive()
                        wire.data_received(heard) if heard else wire.eof_received()
            except TimeoutError:
                raise ReadTimeout(f"{self.peer} accepted the connection and sent no greeting") from None
            self._stream.transport.set_protocol(wire)
            return self._reply(await wire.read_response(), Step.GREETING)

    async def ask(self, step: Step, *words: bytes, timeout_s: float) -> Reply:
        """Send one command line and wait for its reply, whatever its code.

        Raises:
            ReadTimeout, ConnectionLost, RemoteProtocolError.
        """
        self._require_usable(step)
        with self._step(step):
            if stray := self._wire.take_stray():
                raise RemoteProtocolError(f"{self.peer} spoke without being asked: {stray}")
            return self._reply(await self._wire.execute_command(*words, timeout=timeout_s), step)

    async def start_tls(self, *, timeout_s: float) -> None:
        """Upgrade, after the server's 220; what it said in clear is forgotten.

        Raises:
            TLSFailed.
        """
        with self._step(Step.STARTTLS):
            await self._stream.start_tls(timeout_s=timeout_s)
            self._wire = _Wire()
            self._wire.attach(self._stream.transport, greeted=True)
            self._stream.transport.set_protocol(self._wire)

    async def content(self, content: Iterator[bytes], timeouts: SendTimeouts) -> Reply:
        """Hand over the message, dot included, and wait for the verdict.

        An answer before the end stops the hand-over: the server has made up its mind.

        Args:
            content: at least one block, with dots doubled; the last one ends with the final dot.
        Raises:
            WriteTimeout, ReadTimeout, ConnectionLost, RemoteProtocolError.
        """
        wire = self._wire
        with self._step(Step.CONTENT):
            following = next(content, None)
            while following is not None:
                block, following = following, next(content, None)
                self.dot_sent = following is None
                try:
                    await wire.write_block(block, timeout_s=timeouts.block_s)
                except TimeoutError:
                    raise WriteTimeout(f"{self.peer} took no more of the message") from None
                except ConnectionError:
                    if not wire.is_answered:
                        raise
                if wire.is_answered:
                    break
            reply = self._reply(await wire.read_response(timeout=timeouts.end_s), Step.CONTENT)
            if not self.dot_sent:
                self._is_broken = True
            return reply

    def give_up(self) -> None:
        """Ask nothing more: the server has said that it is closing."""
        self._is_broken = True

    async def aclose(self) -> None:
        self._is_broken = True
        await self._stream.aclose()

    def _require_usable(self, step: Step) -> None:
        if not self.is_usable:
            said = self._wire.take_stray()
            raise ConnectionLost(f"{self.peer} had closed the connection before {step.upper()}", detail=said)

    def _reply(self, response: SMTPResponse, step: Step) -> Reply:
        if not 200 <= response.code < 600:
            raise RemoteProtocolError(f"{self.peer} answered {step.upper()} with the impossible code {response.code}")
        return Reply(code=response.code, text=clean(response.message))

    @contextmanager
    def _step(self, step: Step) -> Generator[None, None, None]:
        """Whatever fails inside ends the dialogue, and leaves as ours."""
        try:
            yield
        except BaseException as error:
            self._is_broken = True
            raise self._translate(error, step) from None

    def _translate(self, error: BaseException, step: Step) -> BaseException:
        match error:
            case SMTPResponseException():
                excerpt = "" if step is Step.AUTH else f": {clean(error.message)[:EXCERPT]}"
                return RemoteProtocolError(f"{self.peer} answered {step.upper()} with what is not SMTP{excerpt}")
            case NetworkError():
                return error
            case SMTPServerDisconnected() | ConnectionError():
                detail = "" if step is Step.AUTH else self._wire.take_stray() or str(error.__cause__ or "")
                return ConnectionLost(f"{self.peer} closed the connection at {step.upper()}", detail=detail)
            case TimeoutError():
                return ReadTimeout(f"{self.peer} did not answer {step.upper()} in time")
            case _:
                return error


def clean(text: str) -> str:
    """The text with everything gone that a log line, a terminal or a database text cannot hold."""
    decodable = text.encode("utf-8", "surrogateescape").decode("utf-8", "replace")
    return _CONTROLS.sub("\ufffd", decodable)
