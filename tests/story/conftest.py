"""Fixtures of the floor on which the articles are told."""

from tests.lab.fixtures import firewall, lab

__all__ = ["firewall", "lab"]
