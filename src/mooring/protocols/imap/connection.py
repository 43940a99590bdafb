"""IMAP without a network: bytes in, events out; commands in, bytes out. No clock, no socket, no waiting.

    connection.start(command) ─▶ data_to_send() ─▶ …network… ─▶ receive_data() ─▶ next_event() until None

It keeps what outlives a response: the state, the capabilities, what is enabled, the selected mailbox, and the
commands whose end has not come. A literal that needs the server's leave is held back until ``+`` arrives.
"""

from mooring.errors import RemoteProtocolError
from mooring.protocols.imap.commands import Command, LiteralMode, Verb
from mooring.protocols.imap.errors import ClientBusy
from mooring.protocols.imap.framing import MAX_LINE, MAX_LITERALS, Framer, Response
from mooring.protocols.imap.mailbox import Mailbox
from mooring.protocols.imap.responses import parse_response, reading
from mooring.protocols.imap.states import GREETINGS, LEADS_TO, State, require
from mooring.protocols.imap.types import (
    Capabilities,
    Continuation,
    Enabled,
    Event,
    ResponseText,
    Status,
    StatusResponse,
    Tagged,
)
from mooring.protocols.imap.wire import capability_set
from mooring.steps import Steps

_NOTHING: frozenset[str] = frozenset()
_SELECTS = frozenset({Verb.SELECT, Verb.EXAMINE})
_LOGINS = frozenset({Verb.LOGIN, Verb.AUTHENTICATE})


class Connection:
    """One connection's side of the protocol.

    Attributes:
        state: see ``states``.
        capabilities: None while they are unknown, which they are again after STARTTLS and after a login.
        enabled: extensions that ENABLE switched on.
        mailbox: the one that is selected.
        last_size: bytes that the response behind the last event had, with what was kept of its literals.
        is_idling: the server sent ``+`` to IDLE and waits for DONE.
    """

    __slots__ = (
        "_framer",
        "_held_back",
        "_next_mailbox",
        "_out",
        "_pending",
        "_serial",
        "_unread",
        "capabilities",
        "enabled",
        "is_idling",
        "last_size",
        "mailbox",
        "state",
    )

    def __init__(self) -> None:
        self._framer = Framer()
        self._out: list[bytes] = []
        self._held_back: list[list[bytes]] = []
        self._pending: dict[str, Verb] = {}
        self._serial = 0
        self._unread: Response | None = None
        self._next_mailbox: Mailbox | None = None
        self.state = State.GREETING
        self.capabilities: frozenset[str] | None = None
        self.enabled = _NOTHING
        self.mailbox: Mailbox | None = None
        self.is_idling = False
        self.last_size = 0

    @property
    def pending(self) -> dict[str, Verb]:
        """The commands whose end has not come, by tag."""
        return self._pending

    @property
    def is_waiting_to_send(self) -> bool:
        """Whether a literal is held back until the server gives leave."""
        return bool(self._held_back)

    @property
    def is_utf8(self) -> bool:
        """Whether mailbox names travel as UTF-8 (RFC 6855 §3)."""
        return "UTF8=ACCEPT" in self.enabled

    def start(self, command: Command) -> str:
        """Line a command up for sending.

        Returns: its tag.
        Raises:
            WrongState: the command does not belong in this state.
            ClientBusy: the one before it is not sent to its end yet.
        """
        require(command.verb, self.state)
        if self._held_back:
            raise ClientBusy("a literal of the command before is still held back")
        self._serial += 1
        tag = f"M{self._serial}"
        first, *others = command.encode(tag, self._literal_mode())
        self._pending[tag] = command.verb
        self._out += first
        self._held_back = others
        if command.verb in _LOGINS:
            self.capabilities = None
        return tag

    def select(self, command: Command, mailbox: Mailbox) -> str:
        """Line up a SELECT or EXAMINE; what the server says until its end describes ``mailbox``."""
        tag = self.start(command)
        self.mailbox = None
        self._next_mailbox = mailbox
        return tag

    def reply(self, data: bytes) -> None:
        """Line up a line that answers a continuation request of AUTHENTICATE."""
        self._out.append(data + b"\r\n")

    def end_idle(self) -> None:
        """Line up DONE (RFC 2177 §3)."""
        self.is_idling = False
        self._out.append(b"DONE\r\n")

    def data_to_send(self) -> list[bytes]:
        """What is lined up, in order; it is not lined up any more."""
        out, self._out = self._out, []
        return out

    def expect_sizes(self, *, literals: int = MAX_LITERALS, line: int = MAX_LINE) -> None:
        """How much one response may hold from now on.

        Args:
            literals: bytes of literals to keep; what is beyond is read and thrown away.
            line: bytes of text; what is beyond is an error.
        """
        self._framer.max_literals = literals
        self._framer.max_line = line

    def receive_data(self, data: bytes) -> None:
        """Take in what the network gave."""
        self._framer.receive_data(data)

    def next_event(self) -> Event | None:
        """The next thing the server said, or None when more bytes are needed.

        Raises:
            RemoteProtocolError: the server does not keep to the protocol; the connection is of no more use.
        """
        while (response := self.next_response()) is not None:
            event = self.follow(response, parse_response(response, utf8=self.is_utf8))
            if event is not None:
                return event
        return None

    def next_response(self) -> Response | None:
        """What ``next_event`` is made of. First the next whole response, which stays the next until it is followed."""
        while self._unread is None:
            self._unread = self._framer.next_response()
            if self._unread is None:
                return None
            if not self._unread.line.strip():
                self._unread = None
        return self._unread

    def reading(self, response: Response) -> Steps[Event]:
        """Then what it says, in steps for one that is long."""
        return reading(response, utf8=self.is_utf8)

    def follow(self, response: Response, event: Event) -> Event | None:
        """Then what that changes; None when it only gave leave to go on with a literal."""
        self._unread = None
        self.last_size = response.size
        self._follow(event)
        return None if isinstance(event, Continuation) and self._released() else event

    def take_rest(self) -> bytes:
        """The bytes after the last event, for whoever reads the stream from here on."""
        return self._framer.take_rest()

    def forget_clear_text(self) -> None:
        """Forget all that was said before TLS, bytes that are still unread included (RFC 9051 §6.2.1)."""
        self._framer.take_rest()
        self.capabilities = None

    @property
    def is_between_responses(self) -> bool:
        """Whether an end of the stream here would cut nothing off."""
        return self._framer.is_between_responses

    def _literal_mode(self) -> LiteralMode:
        offered = self.capabilities or _NOTHING
        if "LITERAL+" in offered:
            return LiteralMode.PLUS
        if "LITERAL-" in offered or "IMAP4REV2" in offered:
            return LiteralMode.MINUS
        return LiteralMode.SYNCHRONISING

    def _released(self) -> bool:
        """Whether this ``+`` was leave to go on with a literal, which is then lined up."""
        if self._held_back:
            self._out += self._held_back.pop(0)
            return True
        if Verb.IDLE in self._pending.values():
            self.is_idling = True
        return False

    def _follow(self, event: Event) -> None:
        match event:
            case Tagged():
                self._end(event)
            case StatusResponse(status=status, text=text):
                if self.state is State.GREETING:
                    self.state = GREETINGS.get(status, State.GREETING)
                if status is Status.BYE:
                    self.state = State.LOGOUT
                self._apply_code(text)
            case Capabilities(names=names):
                self.capabilities = names
            case Enabled(names=names):
                self.enabled |= names
            case _:
                mailbox = self._next_mailbox or self.mailbox
                if mailbox is not None:
                    mailbox.apply(event)

    def _end(self, event: Tagged) -> None:
        verb = self._pending.pop(event.tag, None)
        if verb is None:
            raise RemoteProtocolError("the server ended a command that was never given")
        self._held_back = []
        self._apply_code(event.text)
        self.state = LEADS_TO.get((verb, event.status), self.state)
        if verb is Verb.IDLE:
            self.is_idling = False
        if verb in _SELECTS:
            self.mailbox = self._next_mailbox if event.status is Status.OK else None
            self._next_mailbox = None
        if self.state is not State.SELECTED:
            self.mailbox = None

    def _apply_code(self, text: ResponseText) -> None:
        if text.code == "CAPABILITY":
            self.capabilities = capability_set(text.arguments.encode())
        mailbox = self._next_mailbox or self.mailbox
        if mailbox is not None and text.code is not None:
            mailbox.apply_code(text)
