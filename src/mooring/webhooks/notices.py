"""From a fact to what an endpoint is told: the envelope of v3, the deltas of v2."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import msgspec

from mooring.config import Generation
from mooring.events import EventType, Recorded
from mooring.ids import digest_id
from mooring.webhooks.catalogue import CATALOGUE, Subject

LARGEST = 1_000_000
"""Bytes of a message object; a larger one is told without its body, as a ``.truncated`` event (contract 5.4)."""

_encode = msgspec.json.Encoder().encode


@dataclass(frozen=True, slots=True)
class Notice:
    """One fact, ready to be sent to whoever wants it.

    Attributes:
        name: what its subscribers call it.
        head, tail: the body, around the number of the attempt (v3), or before nothing (v2).
    """

    sequence: int
    name: str
    head: bytes = field(repr=False)
    tail: bytes = field(default=b"", repr=False)

    @property
    def size(self) -> int:
        """Bytes."""
        return len(self.head) + len(self.tail)

    def body(self, attempt: int) -> bytes:
        """What is sent.

        Args:
            attempt: counts from 1.
        """
        return self.head + str(attempt).encode() + self.tail if self.tail else self.head


def notice_id(grant_id: str, sequence: int) -> str:
    """The id of a fact's deliveries: the same for every attempt and every endpoint, so that a receiver can tell."""
    return digest_id("notice", grant_id, str(sequence))


def notice_of(fact: Recorded, generation: Generation, *, provider: str, shown: Mapping[str, Any]) -> Notice:
    """The notice of a fact.

    Args:
        provider: of the grant.
        shown: what there is to show of it: ``object``, and what stands beside it.
    """
    if generation is Generation.V2:
        return _v2(fact, shown)
    return _v3(fact, provider, shown)


def _v3(fact: Recorded, provider: str, shown: Mapping[str, Any]) -> Notice:
    data = {"application_id": fact.application_id, "grant_id": fact.grant_id, **shown}
    encoded = _encode(data)
    name = str(fact.type)
    told = name
    if len(encoded) > LARGEST and CATALOGUE[fact.type].subject is Subject.MESSAGE:
        message: Mapping[str, Any] = shown["object"]
        encoded = _encode({**data, "object": {key: value for key, value in message.items() if key != "body"}})
        told = f"{name}.truncated"
    entry = CATALOGUE[fact.type]
    head = _encode(
        {
            "specversion": "1.0",
            "type": told,
            "source": entry.source.replace("{provider}", provider),
            "id": notice_id(fact.grant_id, fact.sequence),
            "time": int(fact.at.timestamp()),
        }
    )
    return Notice(fact.sequence, name, head[:-1] + b',"webhook_delivery_attempt":', b',"data":' + encoded + b"}")


def _v2(fact: Recorded, shown: Mapping[str, Any]) -> Notice:
    """The delta (contract 6.5). An account is what v2 calls a grant."""
    entry = CATALOGUE[fact.type]
    is_account = entry.subject in {Subject.GRANT, Subject.SYNC}
    kind = "account" if is_account else str(entry.subject)
    named: Mapping[str, Any] = shown.get("object") or {}
    delta = {
        "date": int(fact.at.timestamp()),
        "object": kind,
        "type": entry.v2,
        "object_data": {
            "namespace_id": fact.grant_id,
            "account_id": fact.grant_id,
            "object": kind,
            "attributes": _v2_attributes(fact.type, named),
            "id": fact.grant_id if is_account else fact.data.get("id", ""),
            "metadata": None,
        },
    }
    return Notice(fact.sequence, entry.v2, _encode({"deltas": [delta]}))


def _v2_attributes(kind: EventType, message: Mapping[str, Any]) -> dict[str, Any] | None:
    if kind is EventType.MESSAGE_CREATED and "date" in message:
        return {"thread_id": message["thread_id"], "received_date": message["date"]}
    return None


def sample(type_: EventType, *, application_id: str, grant_id: str, at: int, attempt: int = 1) -> dict[str, Any]:
    """What a delivery of this event looks like in v3."""
    entry = CATALOGUE[type_]
    return {
        "specversion": "1.0",
        "type": str(type_),
        "source": entry.source.replace("{provider}", "imap"),
        "id": notice_id(grant_id, 1),
        "time": at,
        "webhook_delivery_attempt": attempt,
        "data": {
            "application_id": application_id,
            "grant_id": grant_id,
            **entry.beside,
            "object": {**entry.sample, **({"grant_id": grant_id} if "grant_id" in entry.sample else {})},
        },
    }
