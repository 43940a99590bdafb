"""Parameters of Content-Type and Content-Disposition, as they are written in the wild."""

import re
from urllib.parse import unquote_to_bytes

from mooring.protocols.mime.charset import decode
from mooring.protocols.mime.header import words

_PARAM = re.compile(r';\s*+([^\s=;"]++)\s*+=\s*+("(?:[^"\\]|\\.)*+"?|[^;"]*+)', re.DOTALL)
_QUOTED_PAIR = re.compile(r'\\(["\\])')
_SECTION = re.compile(r"([^*]+)\*(?:(\d{1,4})(\*?))?")

_Sections = dict[int, tuple[bool, str]]


def parameters(value: str) -> dict[str, str]:
    """The parameters of an unfolded field by lower-case name, decoded; of the same name the first counts.

    Sections are put together before they are decoded, since senders cut characters in two. A value as
    RFC 2231 has it wins over a plain one. A backslash only escapes a quote or a backslash, so that
    Windows paths survive.

    Source: RFC 2045 section 5.1; RFC 2231 section 3 and 4; RFC 2047 words, although section 5 forbids them.
    """
    found: dict[str, str] = {}
    split: dict[str, _Sections] = {}
    for match in _PARAM.finditer(value):
        name, text = match[1].lower(), _unquoted(match[2])
        section = _SECTION.fullmatch(name)
        if section:
            number, encoded = int(section[2] or 0), section[2] is None or bool(section[3])
            split.setdefault(section[1], {}).setdefault(number, (encoded, text))
        else:
            found.setdefault(name, words(text))
    return found | {name: _joined(sections) for name, sections in split.items()}


def _unquoted(text: str) -> str:
    if not text.startswith('"'):
        return text.strip()
    return _QUOTED_PAIR.sub(r"\1", text[1:].removesuffix('"'))


def _joined(sections: _Sections) -> str:
    charset = ""
    data: list[bytes] = []
    for position, number in enumerate(sorted(sections)):
        encoded, text = sections[number]
        if encoded and position == 0 and text.count("'") >= 2:
            charset, _, text = text.split("'", 2)
        data.append(unquote_to_bytes(text) if encoded else text.encode("utf-8", "replace"))
    return decode(b"".join(data), charset)[0]
