"""The lanes of one endpoint: each is served by one at a time, none is forgotten, none comes before its time."""

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from mooring.webhooks.lanes import Lanes

NAMES = st.sampled_from("abcde")


class Served(RuleBasedStateMachine):
    """Lanes against a model: what has work, who is busy, who rests until when."""

    def __init__(self) -> None:
        super().__init__()
        self.lanes = Lanes()
        self.now = 0.0
        self.work: set[str] = set()
        self.busy: set[str] = set()
        self.resting: dict[str, float] = {}

    @rule(name=NAMES)
    def news(self, name: str) -> None:
        self.lanes.wake(name)
        self.work.add(name)

    @rule()
    def take(self) -> None:
        ready = {n for n in self.work - self.busy if self.resting.get(n, 0.0) <= self.now}
        taken = self.lanes.take(self.now)
        assert (taken is None) == (not ready)
        if taken is not None:
            assert taken in ready
            self.busy.add(taken)
            self.work.discard(taken)
            self.resting.pop(taken, None)

    @precondition(lambda self: self.busy)
    @rule(more=st.booleans(), data=st.data())
    def done(self, more: bool, data: st.DataObject) -> None:
        name = data.draw(st.sampled_from(sorted(self.busy)))
        self.lanes.done(name, more=more)
        self.busy.discard(name)
        if more:
            self.work.add(name)

    @precondition(lambda self: self.busy)
    @rule(seconds=st.floats(0.1, 10), data=st.data())
    def rest(self, seconds: float, data: st.DataObject) -> None:
        name = data.draw(st.sampled_from(sorted(self.busy)))
        self.lanes.rest(name, self.now + seconds)
        self.busy.discard(name)
        self.work.add(name)
        self.resting[name] = self.now + seconds

    @rule(name=NAMES, seconds=st.floats(0.1, 10))
    def postpone(self, name: str, seconds: float) -> None:
        self.lanes.postpone(name, self.now + seconds)
        if name not in self.busy:
            self.work.add(name)
            self.resting[name] = self.now + seconds

    @rule(seconds=st.floats(0, 5))
    def later(self, seconds: float) -> None:
        self.now += seconds

    @invariant()
    def the_next_due_is_the_first_that_rests(self) -> None:
        waits = [due for name, due in self.resting.items() if name not in self.busy and due > self.now]
        due = self.lanes.next_due()
        if waits:
            assert due is not None
            assert due <= min(waits)


TestServed = Served.TestCase
TestServed.settings = settings(max_examples=60, stateful_step_count=40, deadline=None)


def test_lanes_take_turns() -> None:
    lanes = Lanes()
    for name in "abc":
        lanes.wake(name)
    order: list[str] = []
    for _ in range(6):
        name = lanes.take(0.0)
        assert name is not None
        order.append(name)
        lanes.done(name, more=True)
    assert order == list("abcabc")


def test_what_happens_while_a_lane_is_served_is_not_missed() -> None:
    lanes = Lanes()
    lanes.wake("a")
    assert lanes.take(0.0) == "a"
    lanes.wake("a")
    assert lanes.take(0.0) is None
    lanes.done("a", more=False)
    assert lanes.take(0.0) == "a"
