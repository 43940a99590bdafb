"""The kernel's guard, as far as an API process hears of it."""

from mooring.egress import GuardMode, GuardState


class FakeGuard:
    """What a test says is known of it."""

    def __init__(self) -> None:
        self.state = GuardState(GuardMode.UNWATCHED)

    def __call__(self) -> GuardState:
        return self.state
