"""The house's own rules, each a function from a file to its findings; ``python -m scripts.lints`` runs them all."""

from scripts.lints.rules import RULES, Finding, Source, check

__all__ = ["RULES", "Finding", "Source", "check"]
