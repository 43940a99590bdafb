"""What whoever watches a diagnosis is told while it runs."""

import msgspec

from mooring.diagnosis.types import Control, Lookup, Observation, Probe, Step
from mooring.diagnosis.verdict.types import Verdict


class LookedUp(msgspec.Struct, frozen=True, tag_field="kind", tag="lookup"):
    """A name was looked up."""

    lookup: Lookup


class Began(msgspec.Struct, frozen=True, tag_field="kind", tag="began"):
    """A probe leaves: there is room for it, and its SYN is about to be sent."""

    probe: Probe


class Passed(msgspec.Struct, frozen=True, tag_field="kind", tag="passed"):
    """A probe has passed a stage."""

    probe: int
    step: Step


class Observed(msgspec.Struct, frozen=True, tag_field="kind", tag="observed"):
    """A probe has ended."""

    observation: Observation


class Controlled(msgspec.Struct, frozen=True, tag_field="kind", tag="control"):
    """A source of our own was looked at."""

    control: Control


class Concluded(msgspec.Struct, frozen=True, tag_field="kind", tag="verdict"):
    """The verdict: the last that is told."""

    verdict: Verdict


Progress = LookedUp | Began | Passed | Observed | Controlled | Concluded
"""What whoever watches is told while a diagnosis runs; in JSON, ``kind`` says which it is."""
