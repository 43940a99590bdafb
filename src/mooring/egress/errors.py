"""What only this room fails with."""

from mooring.errors import TargetNotAllowed


class CrowdedName(TargetNotAllowed):
    """The name has more addresses than any server's; nothing was dialled."""
