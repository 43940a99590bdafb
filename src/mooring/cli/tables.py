"""Rows as lines for people: in columns where these fit, else a value a line. No word is torn: it may be an address."""

from collections.abc import Iterator, Sequence

from rich.console import Console
from rich.text import Text

GAP = 2
"""Spaces between two columns."""


def lay_out(console: Console, columns: Sequence[str], rows: Sequence[Sequence[object]]) -> Iterator[Text]:
    """The lines, none of them wider than the console, as long as no word is."""
    cells = [[shown(value) for value in row] for row in rows]
    heads = [Text(column, style="bold") for column in columns]
    widths = _widths(console.width, list(zip(heads, *cells, strict=True)))
    if widths is None:
        yield from _records(console, heads, cells)
        return
    for row in (heads, *cells):
        yield from _row(console, row, widths)


def shown(value: object) -> Text:
    """The value as text that does nothing to a terminal."""
    text = "" if value is None else str(value)
    return Text("".join(c if c.isprintable() else " " if c.isspace() else "\ufffd" for c in text))


def _widths(width: int, columns: list[tuple[Text, ...]]) -> list[int] | None:
    """How wide each column is, so that no word is torn; None when that is too much for one line."""
    widths = [max(cell.cell_len for cell in column) for column in columns]
    least = [max(_longest_word(cell) for cell in column) for column in columns]
    room = width - GAP * (len(columns) - 1)
    if sum(least) > room:
        return None
    while sum(widths) > room:
        widest = max(range(len(widths)), key=lambda i: (widths[i] > least[i], widths[i]))
        widths[widest] -= 1
    return widths


def _longest_word(cell: Text) -> int:
    return max((Text(word).cell_len for word in cell.plain.split()), default=0)


def _row(console: Console, row: Sequence[Text], widths: Sequence[int]) -> Iterator[Text]:
    wrapped = [list(cell.wrap(console, max(width, 1))) for cell, width in zip(row, widths, strict=True)]
    for number in range(max(map(len, wrapped))):
        line = Text()
        for lines, width in zip(wrapped, widths, strict=True):
            piece = lines[number] if number < len(lines) else Text()
            piece.rstrip()
            line.append_text(piece).append(" " * (width - piece.cell_len + GAP))
        line.rstrip()
        yield line


def _records(console: Console, heads: Sequence[Text], rows: Sequence[Sequence[Text]]) -> Iterator[Text]:
    """A block for each row: the names of its columns, and beside each its value."""
    label = max(head.cell_len for head in heads)
    room = max(console.width - label - GAP, 1)
    for number, row in enumerate(rows):
        if number:
            yield Text()
        for head, cell in zip(heads, row, strict=True):
            # A word that is wider than the room goes on past the edge: the terminal breaks it, and copies it whole.
            yield from _row(console, (head, cell), (label, max(room, _longest_word(cell))))
