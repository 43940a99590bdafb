"""What is handed on of a diagnosis: a report, as JSON, as one HTML page, and its parts for the dashboard.

It asks nobody, and decides nothing about servers: ``diagnosis`` has done that. What of it may leave the house is
decided in ``discretion.py``. Start at ``types.py`` and ``making.py``.
"""

from mooring.reports.drawing import (
    POLICY,
    STYLE,
    evidence_part,
    matrix_part,
    report_html,
    report_json,
    verdict_part,
)
from mooring.reports.making import no_verdict, report_of
from mooring.reports.service import Reports
from mooring.reports.titles import READERS, sureness_of, title_of, tone_of
from mooring.reports.types import Report

__all__ = [
    "POLICY",
    "READERS",
    "STYLE",
    "Report",
    "Reports",
    "evidence_part",
    "matrix_part",
    "no_verdict",
    "report_html",
    "report_json",
    "report_of",
    "sureness_of",
    "title_of",
    "tone_of",
    "verdict_part",
]
