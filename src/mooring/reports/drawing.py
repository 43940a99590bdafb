"""A report as one HTML page, and its parts for pages of others. Everything that is put in is text."""

import base64
import hashlib
from collections.abc import Collection, Sequence
from datetime import UTC, datetime
from importlib.resources import files
from itertools import groupby
from typing import Any

import msgspec
from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from mooring.diagnosis import (
    CELL_WORDS,
    GLYPHS,
    SERVICES,
    VANTAGES,
    Mark,
    MatrixRow,
    MatrixTable,
    Vantage,
    proved,
    table_title,
)
from mooring.reports.titles import READERS, tone_of
from mooring.reports.types import Report

MOST_NAMES = 12
"""Of a certificate that are shown; the document has them all."""

_STYLE = files("mooring.reports").joinpath("style")
STYLE = "".join(_STYLE.joinpath(name).read_text("utf-8") for name in ("base.css", "report.css"))
"""What the parts of a report look like, wherever they are shown."""
_SHEET = STYLE + _STYLE.joinpath("sheet.css").read_text("utf-8")


def _moment(at: datetime) -> Markup:
    """A time for people and machines, in UTC, to the second."""
    at = at.astimezone(UTC)
    return Markup('<time datetime="{}">{}</time>').format(at.isoformat(timespec="seconds"), f"{at:%Y-%m-%d %H:%M:%S}")


def _to_the_millisecond(at: datetime) -> Markup:
    """The same, as exact as logs are."""
    at = at.astimezone(UTC)
    text = f"{at:%Y-%m-%d %H:%M:%S}.{at.microsecond // 1000:03}"
    return Markup('<time datetime="{}">{}</time>').format(at.isoformat(timespec="milliseconds"), text)


def _by_vantage(rows: Sequence[MatrixRow]) -> list[tuple[Vantage | None, list[MatrixRow]]]:
    """The rows, which are in order, by group."""
    return [(vantage, list(group)) for vantage, group in groupby(rows, key=lambda row: row.vantage)]


_templates = Environment(
    loader=PackageLoader("mooring.reports"),
    autoescape=True,
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
)
_KNOWN: dict[str, Any] = {
    "moment": _moment, "exactly": _to_the_millisecond, "heading": table_title, "by_vantage": _by_vantage,
    "glyphs": GLYPHS, "words": CELL_WORDS, "vantages": VANTAGES, "services": SERVICES, "readers": READERS,
    "legend": [(mark, GLYPHS[mark], CELL_WORDS[mark]) for mark in Mark if mark is not Mark.UNDER_WAY],
    "most_names": MOST_NAMES, "proved": proved, "tone_of": tone_of,
}  # fmt: skip
"""What every template can name."""


def _digest(text: str) -> str:
    return "sha256-" + base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()


POLICY = (
    f"default-src 'none'; style-src '{_digest(_SHEET)}'; form-action 'none'; base-uri 'none'; frame-ancestors 'none'"
)
"""The content security policy of a report: its own style sheet, and nothing else at all."""
_POLICY_INSIDE = POLICY.partition("; frame-ancestors")[0]
"""The same, as far as a page can say it of itself, for when it is opened from a disk."""


def report_html(report: Report) -> str:
    """The report as one page that needs nothing else: no script, no picture, nothing from elsewhere."""
    return str(_drawn("report.html", report=report, sheet=Markup(_SHEET), policy=_POLICY_INSIDE))  # noqa: S704 (our own)


def report_json(report: Report) -> bytes:
    """The report as one JSON document."""
    return msgspec.json.format(msgspec.json.encode(report), indent=2)


def verdict_part(report: Report) -> Markup:
    """The verdict, and what each reader does next."""
    return _drawn("_verdict.html", report=report)


def evidence_part(report: Report) -> Markup:
    """Everything that it rests on, below the verdict."""
    return _drawn("_evidence.html", report=report)


def matrix_part(tables: Sequence[MatrixTable], proof: Collection[int] = ()) -> Markup:
    """The picture, as tables."""
    return _drawn("_matrix.html", tables=tables, proof=frozenset(proof))


def _drawn(template: str, **values: Any) -> Markup:
    return Markup(_templates.get_template(template).render(**_KNOWN, **values))  # noqa: S704 (autoescape is on)
