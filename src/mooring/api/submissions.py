"""A message to send, from what callers write: JSON, or multipart as either SDK frames it (contract 4.1.3)."""

import re
from http import HTTPStatus
from typing import Any

import msgspec
from litestar.datastructures import UploadFile
from litestar.exceptions import HTTPException, InternalServerException

from mooring.api.bodies import as_payload, chunks_of, take_apart
from mooring.api.doors import Req
from mooring.api.errors import InvalidIdempotencyKey, InvalidPayload, RequestTooLarge
from mooring.api.longtexts import LongTexts
from mooring.errors import InvalidRequest
from mooring.large import beside, windows
from mooring.mail import Party
from mooring.send import SentAttachment, Submission

TOTAL_LIMIT = 25 * 1024 * 1024
"""Bytes of a message with its attachments, decoded (contract 4.1.3)."""

BODY_LIMIT = 36 * 1024 * 1024
"""Bytes of the request: the same in base64, and its frame."""

MAX_IDEMPOTENCY_KEY = 256
"""Characters (contract 1.11)."""

_MESSAGE_PARTS = ("message", "draft")
_NUMBERED = re.compile(r"file[0-9]*")
"""How both SDKs name a part whose attachment has no content id."""

_UNSUPPORTED = ("send_at", "use_draft", "tracking_options", "metadata", "signature_id", "template")
"""Leaving one of these out in silence would send another message than was asked for."""


class PartyBody(msgspec.Struct):
    """A name and an address, as callers write them."""

    email: str
    name: str | None = None


PartyList = list[PartyBody] | PartyBody | None


class HeaderBody(msgspec.Struct):
    """One extra header."""

    name: str
    value: str


class AttachmentBody(msgspec.Struct):
    """An attachment in base64."""

    content: str
    filename: str | None = None
    content_type: str | None = None
    content_id: str | None = None
    content_disposition: str | None = None
    is_inline: bool | None = None


class SendBody(msgspec.Struct):
    """The body of ``POST /messages/send``."""

    to: PartyList = None
    cc: PartyList = None
    bcc: PartyList = None
    reply_to: PartyList = None
    from_: PartyList = msgspec.field(default=None, name="from")
    subject: str | None = None
    body: str | None = None
    is_plaintext: bool | None = None
    attachments: list[AttachmentBody] | None = None
    reply_to_message_id: str | None = None
    custom_headers: list[HeaderBody] | None = None
    send_at: Any = None
    use_draft: Any = None
    tracking_options: Any = None
    metadata: Any = None
    signature_id: Any = None
    template: Any = None


def is_multipart(request: Req) -> bool:
    """Whether the body comes in parts."""
    return request.content_type[0] == "multipart/form-data"


async def submission_of(request: Req) -> Submission:
    """What the request asks to send.

    Raises:
        InvalidPayload, InvalidRequest: it cannot be read.
        RequestTooLarge: it is more than a message may hold.
    """
    if is_multipart(request):
        message, files = await _multipart(request)
    else:
        message, files = await chunks_of(request), []
    size = sum(map(len, message)) + sum(len(one.content) for one in files)
    return await beside(size, _submission, message, files)


def idempotency_key_of(request: Req) -> str | None:
    """The caller's Idempotency-Key, if the request has one.

    Raises:
        InvalidIdempotencyKey: it is empty, too long, or not printable ASCII.
    """
    header = request.headers.get("idempotency-key")
    if header is None:
        return None
    key = header.strip()
    if not key:
        raise InvalidIdempotencyKey(
            "The Idempotency-Key is empty, so it would not keep a repeated request from sending again.",
            hint="Send a key of this message's own, or leave the header out.",
        )
    if len(key) > MAX_IDEMPOTENCY_KEY or not (key.isascii() and key.isprintable()):
        raise InvalidIdempotencyKey(f"An Idempotency-Key has at most {MAX_IDEMPOTENCY_KEY} printable ASCII characters.")
    return key


def parties(written: PartyList) -> tuple[Party, ...]:
    """Addresses in our own shape; one alone stands for a list of one."""
    match written:
        case None:
            return ()
        case PartyBody():
            return (Party(email=written.email, name=written.name or ""),)
        case _:
            return tuple(Party(email=p.email, name=p.name or "") for p in written)


def sender(written: PartyList) -> Party | None:
    """The one address that a message comes from; None leaves it to the grant."""
    found = parties(written)
    if len(found) > 1:
        raise InvalidRequest("'from' holds more than one address.")
    return found[0] if found else None


def _submission(message: list[bytes], files: list[SentAttachment]) -> Submission:
    with as_payload():
        body, texts = take_apart(message, SendBody)
        attachments = (*(_decoded(one, texts) for one in body.attachments or ()), *files)
        body.attachments = None
        body = texts.restored(body)
    for name in _UNSUPPORTED:
        if getattr(body, name):
            raise InvalidRequest(f"The field {name!r} is not supported.", hint="Leave it out to send the message now.")
    text = body.body or ""
    size = sum(len(text[start:end].encode()) for start, end in windows(len(text)))
    if size + sum(len(a.content) for a in attachments) > TOTAL_LIMIT:
        raise RequestTooLarge(f"The message and its attachments are more than {TOTAL_LIMIT >> 20} MB together.")
    return Submission(
        to=parties(body.to),
        cc=parties(body.cc),
        bcc=parties(body.bcc),
        reply_to=parties(body.reply_to),
        from_=sender(body.from_),
        subject=body.subject or "",
        body=text,
        is_plaintext=bool(body.is_plaintext),
        attachments=attachments,
        reply_to_message_id=body.reply_to_message_id or "",
        custom_headers=tuple((h.name, h.value) for h in body.custom_headers or ()),
    )


def _decoded(written: AttachmentBody, texts: LongTexts) -> SentAttachment:
    attachment = texts.restored(msgspec.structs.replace(written, content=""))
    name = attachment.filename or "attachment"
    inline = attachment.is_inline
    try:
        content = texts.base64(written.content)
    except ValueError:
        raise InvalidRequest(f"The content of the attachment {name[:100]!r} is not valid base64.") from None
    return SentAttachment(
        filename=name,
        content_type=attachment.content_type or "application/octet-stream",
        content=content,
        content_id=(attachment.content_id or "").strip("<>"),
        is_inline=attachment.content_disposition == "inline" if inline is None else inline,
    )


async def _multipart(request: Req) -> tuple[list[bytes], list[SentAttachment]]:
    """One SDK sends the JSON part as a file without a name, the other as a plain field; both are read."""
    message: bytes | None = None
    files: list[SentAttachment] = []
    for name, part in await _parts(request):
        if name in _MESSAGE_PARTS and message is None:
            message = await part.read() if isinstance(part, UploadFile) else part.encode()
        elif isinstance(part, UploadFile):
            files.append(await _file(name, part))
        else:
            raise InvalidRequest(f"The part {name[:100]!r} has no file name.", hint="Attachments are sent as files.")
    if message is None:
        raise InvalidRequest("The multipart body has no part named 'message'.")
    return [message], files


async def _parts(request: Req) -> list[tuple[str, UploadFile | str]]:
    try:
        return list((await request.form()).items())
    except InternalServerException:
        raise InvalidPayload("The request body was cut short.") from None
    except HTTPException as e:
        if e.status_code != HTTPStatus.BAD_REQUEST:
            raise
        raise InvalidPayload(f"The multipart body cannot be read: {e.detail}") from None
    except (ValueError, LookupError):
        raise InvalidPayload("A field of the multipart body is not text in the charset that it names.") from None


async def _file(name: str, part: UploadFile) -> SentAttachment:
    """A file part; a name that is not a number is the content id that the body refers to."""
    content_id = "" if _NUMBERED.fullmatch(name) else name.strip("<>")
    return SentAttachment(
        filename=part.filename,
        content_type=part.content_type,
        content=await part.read(),
        content_id=content_id,
        is_inline=bool(content_id),
    )
