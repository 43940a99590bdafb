"""What only an account that is stopped, or moves, can do wrong."""

from datetime import datetime

from mooring.errors import Conflict, Forbidden


class Stopped(Forbidden):
    """The account is stopped: what is stored can be read, and nothing is dialled."""

    def __init__(self, start_due_at: datetime | None) -> None:
        until = f" until {start_due_at:%Y-%m-%d %H:%M:%S} UTC" if start_due_at else ""
        super().__init__(
            f"Sync of this account is stopped{until}; what needs its mail server cannot be done.",
            hint="After that, authenticate it again, or start it." if start_due_at else "Start it first.",
        )


class TooEarly(Conflict):
    """The delay of a staged move has not passed; nothing was changed (spec S12).

    Attributes:
        seconds_left: until it has.
    """

    def __init__(self, seconds_left: int) -> None:
        super().__init__(
            f"The account is moving: it can be authenticated again, or started, in {seconds_left} seconds.",
            hint="Until then nothing needs to be done, and nothing is lost.",
        )
        self.seconds_left = seconds_left
