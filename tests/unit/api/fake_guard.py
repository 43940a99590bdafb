"""The kernel's guard and the connections that are open, as far as an API process hears of them."""

from mooring.egress import GuardMode, GuardState


class FakeGuard:
    """What a test says is known of them."""

    def __init__(self) -> None:
        self.state = GuardState(GuardMode.UNWATCHED)
        self.counts: dict[str, tuple[int, int]] = {}

    def __call__(self) -> GuardState:
        return self.state

    async def berths(self) -> dict[str, tuple[int, int]]:
        return self.counts
