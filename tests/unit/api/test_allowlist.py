"""The public lists: what a firewall fetches."""

import httpx
import pytest


async def test_one_address_a_line(v3: httpx.AsyncClient) -> None:
    answer = await v3.get("/allowlist/v3/us.txt", headers={"Authorization": ""})
    assert (answer.status_code, answer.text) == (200, "203.0.113.10\n")
    assert answer.headers["content-type"] == "text/plain; charset=utf-8"
    again = await v3.get("/allowlist/v3/us.txt", headers={"If-None-Match": answer.headers["etag"]})
    assert (again.status_code, again.content) == (304, b"")


async def test_as_json(v3: httpx.AsyncClient) -> None:
    answer = await v3.get("/allowlist/v2/us.json")
    data = answer.json()
    assert (data["generation"], data["region"], data["ip_addresses"]) == ("v2", "us", ["203.0.113.10"])
    assert data["version"] == 3


@pytest.mark.parametrize("path", ["v3/eu.txt", "v3/us.xml", "v3/us", "v4/us.txt", "webhook/us.txt", "v3/U%20S.txt"])
async def test_what_is_no_list(v3: httpx.AsyncClient, path: str) -> None:
    answer = await v3.get(f"/allowlist/{path}")
    assert answer.status_code == 404
    assert "address list" in answer.json()["error"]["message"]
