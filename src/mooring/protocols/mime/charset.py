"""Bytes to text under whatever label the sender gave them."""

import codecs
from encodings import normalize_encoding
from encodings.aliases import aliases
from functools import lru_cache

_FALLBACK = "cp1252"  # what unlabelled 8-bit mail that is not UTF-8 nearly always is (WHATWG Encoding)

# Labels that mean a superset of what they name, or that Python does not know (WHATWG Encoding, section 4.2).
_LABELS = {
    "ascii": "",
    "us_ascii": "",
    "ansi_x3.4_1968": "",
    "unknown": "",
    "x_unknown": "",
    "unknown_8bit": "",
    "8bit": "",
    "default": "",
    "iso_8859_1": "cp1252",
    "iso8859_1": "cp1252",
    "latin1": "cp1252",
    "latin_1": "cp1252",
    "iso_8859_9": "cp1254",
    "iso_8859_11": "cp874",
    "tis_620": "cp874",
    "iso_8859_8_i": "iso8859_8",
    "iso_8859_8_e": "iso8859_8",
    "gb2312": "gb18030",
    "gbk": "gb18030",
    "x_gbk": "gb18030",
    "shift_jis": "cp932",
    "x_sjis": "cp932",
    "ks_c_5601_1987": "cp949",
    "euc_kr": "cp949",
    "utf8mb4": "utf_8",
    "unicode_1_1_utf_7": "utf_7",
    "unicode_1_1_utf_8": "utf_8",
}
# Not text encodings, or quadratic on hostile input.
_REFUSED = frozenset({"idna", "punycode", "unicode_escape", "raw_unicode_escape", "undefined", "mbcs", "oem", "rot_13"})
_MORE = frozenset({"cp720", "cp737", "cp856", "cp874", "cp875", "cp1006", "koi8_t", "koi8_u", "utf_8_sig"})
_KNOWN = (
    frozenset(
        name
        for alias, target in aliases.items()
        if not target.endswith("_codec") and target not in _REFUSED
        for name in (alias, target)
    )
    | _MORE
)
_MAX_LABEL = 64  # characters; the longest registered charset name has 45 (IANA)


def clean(text: str) -> str:
    """Text that UTF-8 and PostgreSQL can hold: U+0000 and lone surrogates become U+FFFD."""
    if not text.isascii():
        try:
            text.encode()
        except UnicodeEncodeError:
            text = text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")
    return text.replace("\0", "\ufffd") if "\0" in text else text


def decode(data: bytes, label: str = "") -> tuple[str, str]:
    """The text of these bytes, never failing.

    Args:
        label: the declared charset, "" when there is none.

    Returns:
        The clean text, and a defect ("" when the label was right).
    """
    codec = _codec(label)
    if codec is None:
        return _guess(data), f"unknown charset {clean(label)[:_MAX_LABEL]!r}"
    if not codec:
        return _guess(data), ""
    try:
        return clean(data.decode(codec)), ""
    except UnicodeError:
        return clean(data.decode(codec, "replace")), f"bytes outside of charset {codec}"


def _guess(data: bytes) -> str:
    try:
        return clean(data.decode())
    except UnicodeDecodeError:
        return clean(data.decode(_FALLBACK, "replace"))


@lru_cache(maxsize=256)
def _codec(label: str) -> str | None:
    """Python's name for a label, "" to guess, None when nobody knows it.

    Python remembers every unknown name that it is asked for, so only names on our list reach it.
    """
    if not label:
        return ""
    if len(label) > _MAX_LABEL or not label.isascii():
        return None
    name = normalize_encoding(label.strip(" \"'")).lower()
    name = _LABELS.get(name, name)
    if name and name not in _KNOWN:
        return None
    return codecs.lookup(name).name if name else ""
