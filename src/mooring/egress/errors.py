"""What only this room fails with."""

from mooring.errors import TargetNotAllowed


class MixedName(TargetNotAllowed):
    """The name leads to addresses that may be dialled and to one that must not be; nothing was dialled."""


class CrowdedName(TargetNotAllowed):
    """The name has more addresses than any server's; nothing was dialled."""
