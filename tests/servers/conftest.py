"""Fixtures of the floor with real servers."""

from tests.lab.fixtures import firewall, lab

__all__ = ["firewall", "lab"]
