"""What only this room fails with."""

from mooring.errors import MooringError


class LeftAlone(MooringError):
    """The host's domain has been asked often enough for now; nothing was dialled."""

    def __init__(self, host: str) -> None:
        super().__init__(f"{host} was left alone: its domain has been asked often enough for this minute")
