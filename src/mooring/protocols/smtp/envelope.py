"""From addresses and a message to the lines that carry them; pure, and refuses before anything is sent."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import idna

from mooring.errors import InvalidRequest
from mooring.large import count, windows
from mooring.protocols.smtp.errors import NotOffered
from mooring.protocols.smtp.types import Offers

BLOCK = 64 * 1024
"""Bytes of a message that are handed over before waiting for room."""


@dataclass(frozen=True, slots=True)
class Envelope:
    """What MAIL and RCPT will say.

    Attributes:
        mail: the words behind MAIL.
        recipients: each address as the caller wrote it, and the word behind RCPT.
    """

    mail: tuple[bytes, ...]
    recipients: tuple[tuple[str, bytes], ...]


def envelope(sender: str, recipients: Sequence[str], offers: Offers, content: bytes | None = None) -> Envelope:
    """The envelope in the words of this server; a recipient that is named twice is asked for once.

    Args:
        sender: an address, or "" for the null reverse-path.
        content: the message with CRLF line ends, when one is to follow.
    Raises:
        InvalidRequest: an address that cannot be written down.
        NotOffered: the server lacks what this envelope needs.
    Source: RFC 5321 §3.3, RFC 6531 §3.4, RFC 6152, RFC 1870 §6.
    """
    if not recipients:
        raise InvalidRequest("a message needs at least one recipient")
    has_utf8 = "smtputf8" in offers
    wanted = list(dict.fromkeys(recipients))
    paths = [_path(address, has_utf8=has_utf8) for address in wanted]
    reverse_path = _path(sender, has_utf8=has_utf8) if sender else b"<>"
    words = [b"FROM:" + reverse_path]
    if content is not None:
        words += _body_words(content, offers)
    if not all(path.isascii() for path in (reverse_path, *paths)):
        words.append(b"SMTPUTF8")
    return Envelope(mail=tuple(words), recipients=tuple(zip(wanted, (b"TO:" + path for path in paths), strict=True)))


def with_crlf(message: bytes) -> bytes:
    """The message with every line end as CRLF, and one at its end (RFC 5321 §2.3.8)."""
    pairs = count(message, b"\r\n")
    if count(message, b"\n") != pairs or count(message, b"\r") != pairs:
        message = message.replace(b"\r\n", b"\n").replace(b"\r", b"\n").replace(b"\n", b"\r\n")
    return message if message.endswith(b"\r\n") else message + b"\r\n"


def blocks(content: bytes) -> Iterator[bytes]:
    """The content as DATA carries it, block by block: leading dots doubled, the final dot in the last of them.

    Source: RFC 5321 §4.5.2.
    """
    for start, end in windows(len(content), BLOCK):
        # With the two bytes before it, since the end of a line may stand in either block.
        before = min(start, 2)
        block = content[start - before : end].replace(b"\r\n.", b"\r\n..")[before:]
        first = b"." if start == 0 and block.startswith(b".") else b""
        yield first + block + (b".\r\n" if end == len(content) else b"")


def _body_words(content: bytes, offers: Offers) -> list[bytes]:
    words: list[bytes] = []
    if "size" in offers:
        limit = offers.size_limit
        if limit and len(content) > limit:
            raise NotOffered(
                f"the message has {len(content)} bytes; the server takes at most {limit}",
                reply=f"SIZE {limit}",
                hint="send a link instead of the attachment, or have the server's limit raised",
            )
        words.append(b"SIZE=%d" % len(content))
    if not content.isascii():
        if "8bitmime" not in offers:
            raise NotOffered("the message has 8-bit text, and the server does not offer 8BITMIME", reply="")
        words.append(b"BODY=8BITMIME")
    return words


def _path(address: str, *, has_utf8: bool) -> bytes:
    """The address in angle brackets, with its domain in ASCII where the server knows nothing else."""
    local, at, domain = address.rpartition("@")
    is_quoted = len(local) > 1 and local[0] == local[-1] == '"'
    for character in address:
        if character in "<>" or not character.isprintable() or (character.isspace() and not is_quoted):
            raise InvalidRequest(f"the address {address!r} has a character that an envelope cannot carry")
    if not (local and at and domain):
        raise InvalidRequest(f"the address {address!r} is not of the form name@domain")
    if has_utf8 or address.isascii():
        return f"<{address}>".encode()
    if not local.isascii():
        raise NotOffered(
            f"the address {address} is not ASCII, and the server does not offer SMTPUTF8",
            reply="",
            hint="use an address in ASCII, or a server with internationalised mail (RFC 6531)",
        )
    try:
        return b"<" + local.encode() + b"@" + idna.encode(domain, uts46=True) + b">"
    except idna.IDNAError as error:
        raise InvalidRequest(f"the domain of {address!r} is not a name") from error
