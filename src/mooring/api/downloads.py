"""Files of strangers, handed on so that no browser ever runs them."""

import re
from urllib.parse import quote

from litestar.response.base import ASGIResponse

from mooring.api.pieces import Pieces, Whole
from mooring.mail import Attachment

_MEDIA_TYPE = re.compile(r"[a-z0-9][a-z0-9!#$&^_.+-]{0,126}/[a-z0-9][a-z0-9!#$&^_.+-]{0,126}", re.ASCII)
"""RFC 6838 §4.2; nothing else of what a mail claims gets into a header."""

_UNSAFE = re.compile(r'[^\x20-\x7e]|["%;]')

_SEPARATORS = str.maketrans("/\\", "__")

_SANDBOX = {"Content-Security-Policy": "sandbox; default-src 'none'"}


def download(attachment: Attachment, content: bytes) -> ASGIResponse:
    """The bytes, as a file to be saved."""
    return Pieces(
        [Whole(content)],
        headers={
            "Content-Type": media_type(attachment.content_type),
            "Content-Disposition": disposition(attachment.filename),
            **_SANDBOX,
        },
    )


def media_type(claimed: str) -> str:
    """The type without its parameters, if it is one at all."""
    essence = claimed.partition(";")[0].strip().lower()
    return essence if _MEDIA_TYPE.fullmatch(essence) else "application/octet-stream"


def disposition(filename: str) -> str:
    """``Content-Disposition`` in both spellings, the plain one with what it cannot say replaced.

    Source: RFC 6266 §4.3 and appendix D; RFC 8187 §3.2.
    """
    name = "".join(c for c in filename if c.isprintable()).translate(_SEPARATORS).strip()[:255] or "attachment"
    plain = _UNSAFE.sub("_", name)
    extended = "" if plain == name else f"; filename*=UTF-8''{quote(name, safe='', errors='replace')}"
    return f'attachment; filename="{plain}"{extended}'
