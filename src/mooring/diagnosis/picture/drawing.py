"""The picture of a diagnosis as plain text, for terminals and for letters. Pure."""

from collections.abc import Collection, Sequence

from mooring.diagnosis.picture.matrix import Mark, MatrixCell, MatrixRow, MatrixTable
from mooring.diagnosis.picture.outcomes import SERVICES, VANTAGES
from mooring.grants import TlsMode, cleaned

GLYPHS = {
    Mark.PASSED: "✓",
    Mark.FAILED: "✗",
    Mark.MIXED: "±",
    Mark.OURS: "!",
    Mark.UNDER_WAY: "…",
    Mark.NOT_ASKED: "·",
}
ASCII = {
    Mark.PASSED: "+",
    Mark.FAILED: "x",
    Mark.MIXED: "~",
    Mark.OURS: "!",
    Mark.UNDER_WAY: "?",
    Mark.NOT_ASKED: ".",
}
"""For terminals that know no others."""

WORDS = {
    Mark.PASSED: "passed",
    Mark.FAILED: "failed",
    Mark.MIXED: "passed sometimes",
    Mark.OURS: "our own exit failed",
    Mark.UNDER_WAY: "under way",
    Mark.NOT_ASKED: "not asked",
}
"""What each mark means."""

_TLS = {TlsMode.IMPLICIT: "TLS", TlsMode.STARTTLS: "STARTTLS"}


def matrix_text(tables: Sequence[MatrixTable], *, ascii_only: bool = False, proof: Collection[int] = ()) -> str:
    """The tables one below the other, and what the marks mean.

    Args:
        ascii_only: for a terminal that shows nothing else.
        proof: ids of the probes that prove the verdict; their rows are starred.
    """
    glyphs = ASCII if ascii_only else GLYPHS
    parts = [_table(table, glyphs, "->" if ascii_only else "→", frozenset(proof)) for table in tables]
    used = {cell.mark for table in tables for row in table.rows for cell in row.cells}
    legend = [f"{glyphs[mark]} {WORDS[mark]}" for mark in Mark if mark in used]
    if any(proved(row, proof) for table in tables for row in table.rows):
        legend.append("* proves the verdict")
    text = "\n\n".join([*parts, *(["   ".join(legend)] if legend else [])])
    return text.encode("ascii", "replace").decode() if ascii_only else text


def table_title(table: MatrixTable) -> str:
    """Which service this is, in a line."""
    beside = ", looked at beside it" if table.is_alternative else ""
    return f"{SERVICES[table.service]} {table.host}:{table.port} ({_TLS[table.tls]}){beside}"


def proved(row: MatrixRow, proof: Collection[int]) -> bool:
    """Whether the row is among those that prove the verdict."""
    return any(probe in proof for probe in row.probes)


def _table(table: MatrixTable, glyphs: dict[Mark, str], arrow: str, proof: frozenset[int]) -> str:
    if not table.rows:
        return f"{table_title(table)}\n  nothing was seen yet"
    lines = [["", "", *table.columns, ""]]
    for row in table.rows:
        star = "*" if proved(row, proof) else " "
        from_to = f"{row.source_address} {arrow} {row.address}" if row.address else ""
        group = VANTAGES[row.vantage] if row.vantage else ""
        marks = [_mark(cell, glyphs) for cell in row.cells]
        said = f': "{row.said}"' if row.said else ""
        lines.append([f"{star} {group}", from_to, *marks, cleaned(row.words + said)])
    widths = [max(len(line[n]) for line in lines) for n in range(len(lines[0]))]
    drawn = ["  ".join(word.ljust(width) for word, width in zip(line, widths, strict=True)).rstrip() for line in lines]
    return "\n".join([table_title(table), *drawn])


def _mark(cell: MatrixCell, glyphs: dict[Mark, str]) -> str:
    glyph = glyphs[cell.mark]
    if cell.mark is Mark.MIXED:
        return f"{glyph} {cell.passed} of {cell.asked}"
    if cell.ms is None:
        return glyph
    return f"{glyph} {cell.ms:.0f} ms" if cell.ms >= 1 else f"{glyph} <1 ms"
