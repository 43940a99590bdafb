"""HTML to plain text, in one pass over as much as is needed."""

import html
import re
from collections.abc import Iterable, Iterator
from itertools import chain

SNIPPET = 100  # characters of a snippet (contract 4.1.2: about 100)
_CHUNK = 1_000  # characters unescaped at once; short enough for Python's limit on digits in "&#999…;"
_TAG = re.compile(r"<(/?)([a-zA-Z][a-zA-Z0-9]*)")
_HIDDEN = {name: re.compile(rf"</{name}\b", re.IGNORECASE) for name in ("head", "script", "style", "template", "title")}
# The end of a tag, where ">" within quotes does not count; looked for within _MAX_TAG characters only.
_TAG_END = re.compile(r"""(?:[^>"']|"[^"]*+"|'[^']*+')*+>""")
_MAX_TAG = 512
_BREAKS = frozenset(
    [
        "address",
        "article",
        "aside",
        "blockquote",
        "br",
        "dd",
        "div",
        "dl",
        "dt",
        "footer",
        "form",
        "h1",
        "h2",
        "h3",
        "h4",
        "h5",
        "h6",
        "header",
        "hr",
        "li",
        "main",
        "nav",
        "ol",
        "p",
        "pre",
        "section",
        "table",
        "tr",
        "ul",
    ]
)
# Zero-width characters that fill the preview line of newsletters.
_FILLERS = "\u00ad\u034f\u061c\u180e\u200b\u200c\u200d\u200e\u200f\u2060\ufeff"


def snippet(body: str, *, is_plain: bool) -> str:
    """The first characters of a body on one line, without markup."""
    if is_plain:
        return _fold([body.lstrip()[:_CHUNK]])
    return _fold(_pieces(body))


def plain(markup: str) -> str:
    """The text of an HTML body, with a line for each block."""
    kept: list[str] = []
    pieces: list[str] = []
    for piece in chain(_pieces(markup), "\n"):
        if piece != "\n":
            pieces.append(piece)
            continue
        line = " ".join("".join(pieces).split())
        pieces.clear()
        if line or (kept and kept[-1]):
            kept.append(line)
    return "\n".join(kept).strip()


def _fold(pieces: Iterable[str]) -> str:
    """As many pieces as fill a snippet, joined, their white space folded."""
    read: list[str] = []
    size = 0
    for piece in pieces:
        read.append(piece)
        if piece.isascii():
            size += len("".join(piece.split()))
        else:
            size += sum(len(word.strip(_FILLERS)) for word in piece.split())
        if size >= SNIPPET:
            break
    text = "".join(read)
    shown = text.split() if text.isascii() else [word for word in text.split() if word.strip(_FILLERS)]
    return " ".join(shown)[:SNIPPET].rstrip()


def _pieces(markup: str) -> Iterator[str]:
    """The visible text, piece by piece; a block boundary is a piece of "\\n", white space is otherwise a blank."""
    at = 0
    while at < len(markup):
        start = markup.find("<", at)
        yield from _text(markup, at, len(markup) if start < 0 else start)
        if start < 0:
            return
        if markup.startswith("<!--", start):
            end = markup.find("-->", start + 4)
            at = end + 3
        elif tag := _TAG.match(markup, start):
            name = tag[2].lower()
            hidden = None if tag[1] else _HIDDEN.get(name)
            if hidden and (close := hidden.search(markup, tag.end())):
                start = close.start()
            elif hidden and name != "head":
                return
            closed = _TAG_END.match(markup, start, start + _MAX_TAG)
            end = closed.end() - 1 if closed else markup.find(">", start)
            at = end + 1
            if name in _BREAKS:
                yield "\n"
        elif markup.startswith(("<!", "<?", "</"), start):
            end = markup.find(">", start)
            at = end + 1
        else:
            yield "<"
            at = end = start + 1
        if end < 0:
            return


def _text(markup: str, start: int, end: int) -> Iterator[str]:
    for at in range(start, end, _CHUNK):
        yield html.unescape(markup[at : min(at + _CHUNK, end)]).replace("\n", " ").replace("\r", " ")
