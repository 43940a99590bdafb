"""The nouns of a submission: replies, offers, results, and how long each step may take."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

_ENHANCED = re.compile(r"([245]\.\d{1,3}\.\d{1,3})(?:\s|$)")

GREETING_S = 30.0
"""Seconds. Servers delay the greeting on purpose; RFC 5321 §4.5.3.2.1 would wait five minutes, a caller does not."""

COMMAND_S = 30.0
"""Seconds for a command without a queue behind it. Dovecot delays a failed login by up to 17 s."""


class Step(StrEnum):
    """What was asked when the server answered, or did not."""

    GREETING = "greeting"
    EHLO = "ehlo"
    STARTTLS = "starttls"
    AUTH = "auth"
    MAIL = "mail"
    RCPT = "rcpt"
    DATA = "data"
    CONTENT = "content"
    RSET = "rset"
    QUIT = "quit"


@dataclass(frozen=True, slots=True)
class Reply:
    """One reply of the server, whole.

    Attributes:
        code: three digits.
        text: everything behind the code, lines joined by a line feed; free of control characters.
    Source: RFC 5321 §4.2.
    """

    code: int
    text: str

    @property
    def enhanced(self) -> str:
        """The enhanced status code (RFC 3463) that starts the text, or ""."""
        found = _ENHANCED.match(self.text)
        return found[1] if found else ""

    @property
    def is_positive(self) -> bool:
        return 200 <= self.code < 300

    @property
    def is_permanent(self) -> bool:
        return self.code >= 500

    def __str__(self) -> str:
        return f"{self.code} {self.text}".rstrip()


@dataclass(frozen=True, slots=True)
class Offers:
    """What the server offers in its answer to EHLO.

    Attributes:
        extensions: keyword in lower case, and its parameters as the server wrote them.
        mechanisms: of AUTH, in upper case, in the server's order.
    """

    extensions: Mapping[str, str]
    mechanisms: tuple[str, ...] = ()

    def __contains__(self, keyword: str) -> bool:
        return keyword.lower() in self.extensions

    @property
    def size_limit(self) -> int:
        """Bytes that one message may have; 0 when the server names no limit (RFC 1870 §3)."""
        announced = self.extensions.get("size", "").split(" ")[0]
        return int(announced) if announced.isascii() and announced.isdigit() else 0


@dataclass(frozen=True, slots=True)
class SendTimeouts:
    """Seconds that each step of one submission may take.

    Attributes:
        envelope_s: for each MAIL, RCPT and RSET.
        data_s: from DATA to 354 (RFC 5321 §4.5.3.2.4).
        block_s: for the server to take the next 64 KiB (§4.5.3.2.5).
        end_s: from the final dot to the answer (§4.5.3.2.6: a server may work long before it takes the message).
    """

    envelope_s: float = 60.0
    data_s: float = 120.0
    block_s: float = 180.0
    end_s: float = 600.0


@dataclass(frozen=True, slots=True)
class SendResult:
    """A message that the server has taken responsibility for.

    Attributes:
        accepted: the recipients it will deliver to, as the caller wrote them.
        refused: the others, with the reply that each got; empty unless partial delivery was allowed.
        queued_reply: the answer to the final dot; usually names the queue entry.
    """

    accepted: tuple[str, ...]
    refused: Mapping[str, Reply]
    queued_reply: Reply
