"""kill -9 of the API in the middle of a diagnosis: its successor ends it, once, and the password is erased."""

import json
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from tests.lab import addresses as at
from tests.lab.firewall import Firewall
from tests.lab.laboratory import Laboratory
from tests.running import SERVERS, Running, credentials, is_alive, started
from tests.waiting import until

PORT = 18126
PATH = "/v3/diagnoses"


@pytest.fixture(scope="module")
def mooring(lab: Laboratory, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    _ = lab.postfix
    with started(tmp_path_factory.mktemp("mooring"), PORT, lab.trust, static_ips=False) as running:
        yield running


def test_a_diagnosis_survives_its_process(mooring: Running, lab: Laboratory, firewall: Firewall) -> None:
    user = lab.user("diagnosed")
    firewall.admit_only(at.STATIC)
    key = {"Authorization": f"Bearer {mooring.api_key}"}
    body = {"settings": {**SERVERS, **credentials(user)}}
    asked = httpx.post(mooring.url + PATH, json=body, headers=key, timeout=30)
    assert asked.status_code == 202, asked.text
    identity = asked.json()["data"]["id"]

    def row() -> dict[str, Any]:
        (found,) = mooring.rows("SELECT state, run, secrets, holder FROM diagnoses WHERE id = $1", identity)
        return found

    # The dynamic addresses wait for an answer that never comes.
    until(lambda: _told(mooring, identity) & {"passed", "observed"}, timeout_s=20, what="it is under way")
    before = row()
    assert (before["state"], before["run"]) == ("running", 1)
    assert before["secrets"] is not None
    killed = mooring.kill_one("api")

    until(lambda: not is_alive(killed), what="it is dead")
    until(mooring.is_ready, timeout_s=60, what="another one answers")

    def ended() -> dict[str, Any] | None:
        found = httpx.get(f"{mooring.url}{PATH}/{identity}?wait=60", headers=key, timeout=90).json()["data"]
        return found if found["state"] in {"done", "failed"} else None

    answer = until(ended, timeout_s=90, what="it has ended")
    assert answer["state"] == "done", answer
    assert answer["verdict"]["code"] == "needed"
    after = row()
    assert (after["state"], after["run"], after["secrets"]) == ("done", 2, None)
    assert after["holder"] != before["holder"]

    with httpx.stream("GET", f"{mooring.url}{PATH}/{identity}/stages", headers=key, timeout=30) as heard:
        words = heard.read().decode()
    assert words.count("event: verdict\n") == 1
    assert words.count("event: started\n") == 1
    assert '"run":2' in words
    assert user.password not in words + json.dumps(answer) + mooring.log
    # Nothing is carried out a third time.
    assert mooring.rows("SELECT id FROM diagnoses WHERE state IN ('queued', 'running')") == []


def _told(mooring: Running, identity: str) -> set[str]:
    rows = mooring.rows("SELECT data->>'kind' AS kind FROM diagnosis_progress WHERE diagnosis_id = $1", identity)
    return {row["kind"] for row in rows}
