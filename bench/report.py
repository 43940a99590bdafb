"""What a measure found, and how it is shown."""

import json
import platform
import statistics
from collections.abc import Sequence
from dataclasses import asdict, dataclass


@dataclass(frozen=True, slots=True)
class Series:
    """One thing, measured several times; its median stands for it."""

    label: str
    unit: str
    values: tuple[float, ...]

    @property
    def median(self) -> float:
        return statistics.median(self.values)


@dataclass(frozen=True, slots=True)
class Finding:
    """One figure and what it was made from.

    Attributes:
        unit: of the figure; "" for a ratio.
        target: the figure is to be at most this, or at least (``at_least``).
        conditions: what one has to know to believe it.
    """

    name: str
    what: str
    figure: float
    unit: str
    target: float
    at_least: bool
    series: tuple[Series, ...]
    conditions: str

    @property
    def is_met(self) -> bool:
        """Whether the target is met."""
        return self.figure >= self.target if self.at_least else self.figure <= self.target


def ratio(
    name: str, what: str, ours: Series, theirs: Series, *, target: float, at_least: bool = False, conditions: str
) -> Finding:
    """Our median over theirs."""
    figure = ours.median / theirs.median
    return Finding(name, what, figure, "", target, at_least, (ours, theirs), conditions)


def as_text(finding: Finding) -> str:
    """A finding in a few lines, for people."""
    sign = "at least" if finding.at_least else "at most"
    verdict = "met" if finding.is_met else "MISSED"
    figure = f"{finding.figure:.2f}" if not finding.unit else f"{finding.figure:.1f} {finding.unit}"
    lines = [
        f"{finding.name:<12} {figure}   (target {sign} {finding.target:g} {finding.unit}".rstrip() + f": {verdict})",
        f"             {finding.what}; {finding.conditions}",
    ]
    for series in finding.series:
        values = " ".join(f"{value:,.2f}" for value in series.values)
        lines.append(f"             {series.label}: median {series.median:,.2f} {series.unit} of {values}")
    return "\n".join(lines) + "\n"


def as_json(findings: Sequence[Finding]) -> str:
    """All findings as one JSON object."""
    machine = {"system": platform.platform(), "python": platform.python_version()}
    told = [{**asdict(finding), "met": finding.is_met} for finding in findings]
    return json.dumps({"machine": machine, "findings": told}, indent=2)
