"""Fixtures of the floor with real servers."""

from tests.lab.fixtures import firewall, lab, situations

__all__ = ["firewall", "lab", "situations"]
