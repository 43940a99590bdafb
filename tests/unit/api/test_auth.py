"""Who may do what: keys, secrets and tokens in every spelling, and the two generations apart."""

from base64 import b64encode
from dataclasses import replace

import httpx
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mooring.config import Generation
from tests.unit.api.fakes import (
    V2_APPLICATION,
    V2_GRANT,
    V2_SECRET,
    V2_TOKEN,
    V3_APPLICATION,
    V3_KEY,
    V3_TOKEN,
    World,
)


def basic(user: str, password: str = "") -> str:
    return "Basic " + b64encode(f"{user}:{password}".encode()).decode()


@pytest.mark.parametrize(
    ("path", "authorization", "status"),
    [
        ("/v3/grants/g1", f"Bearer {V3_KEY}", 200),
        ("/v3/grants/g1", f"bearer   {V3_KEY} ", 200),
        ("/v3/grants/me", f"Bearer {V3_TOKEN}", 200),
        ("/v3/grants/me/messages", f"Bearer {V3_TOKEN}", 200),
        ("/v3/grants/me", f"Bearer {V3_KEY}", 401),
        ("/v3/grants/me", f"Bearer {V2_TOKEN}", 401),
        ("/v3/grants/g1", f"Bearer {V3_TOKEN}", 401),
        ("/v3/grants/g1", f"Bearer {V2_TOKEN}", 401),
        ("/v3/grants/g1", f"Bearer {V2_SECRET}", 401),
        ("/v3/grants/g1", V3_KEY, 401),
        ("/v3/grants/g1", basic(V3_KEY), 401),
        ("/v3/grants/g1", "Bearer", 401),
        ("/v3/grants/g1", "Bearer ", 401),
        ("/v3/grants/g1", "", 401),
        ("/v3/grants/g1", "Bearer " + "x" * 10_000, 401),
        ("/v3/grants/g2", f"Bearer {V3_KEY}", 404),
        ("/a/app-v2/accounts", basic(V2_SECRET), 200),
        ("/a/app-v2/accounts", f"Bearer {V2_SECRET}", 200),
        ("/a/app-v2/accounts", basic("wrong"), 401),
        ("/a/app-v2/accounts", f"Bearer {V3_KEY}", 401),
        ("/a/app-v2/accounts", f"Bearer {V2_TOKEN}", 200),
        ("/a/app-v2/webhooks", f"Bearer {V2_TOKEN}", 403),
        ("/a/app-v3/accounts", f"Bearer {V2_TOKEN}", 401),
        ("/a/app-v3/accounts", basic(V2_SECRET), 401),
        ("/a/nobody/accounts", basic(V2_SECRET), 401),
        ("/a/app-v2/accounts", "Basic !", 401),
        ("/a/app-v2/accounts", "Basic /w==", 401),
        ("/account", f"Bearer {V2_TOKEN}", 200),
        ("/account", basic(V2_TOKEN), 200),
        ("/account", basic(V2_TOKEN, "None"), 200),
        ("/account", V2_TOKEN, 200),
        ("/account", f"Bearer {V3_TOKEN}", 401),
        ("/account", f"Bearer {V3_KEY}", 401),
        ("/account", basic(V2_SECRET), 401),
        ("/account", "Digest x", 401),
        ("/account", "", 401),
    ],
)
async def test_who_gets_in(anybody: httpx.AsyncClient, path: str, authorization: str, status: int) -> None:
    answer = await anybody.get(path, headers={"Authorization": authorization})
    assert answer.status_code == status, answer.text


async def test_a_v2_application_never_gets_into_v3(world: World, v3: httpx.AsyncClient) -> None:
    world.applications.v3 = V2_APPLICATION
    assert (await v3.get("/v3/grants")).status_code == 401


async def test_a_v3_application_never_gets_into_v2(world: World, anybody: httpx.AsyncClient) -> None:
    world.applications.v2 = replace(V3_APPLICATION, id="app-v2")
    answer = await anybody.get("/a/app-v2/accounts", headers={"Authorization": basic(V2_SECRET)})
    assert answer.status_code == 401


async def test_a_v2_grant_never_answers_as_me(world: World, anybody: httpx.AsyncClient) -> None:
    world.tokens.v3 = replace(V2_GRANT, generation=Generation.V2)
    answer = await anybody.get("/v3/grants/me", headers={"Authorization": f"Bearer {V3_TOKEN}"})
    assert answer.status_code == 401


async def test_a_listing_asks_for_the_key_once(world: World, v3: httpx.AsyncClient) -> None:
    await v3.get("/v3/grants/g1/messages")
    assert [call[0] for call in world.applications.calls] == ["by_api_key"]


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/v3/applications"),
        ("POST", "/v3/connect/custom"),
        ("GET", "/v3/grants"),
        ("PATCH", "/v3/grants/g1"),
        ("DELETE", "/v3/grants/g1"),
        ("GET", "/v3/grants/g1/folders"),
        ("GET", "/v3/grants/g1/folders/inbox"),
        ("GET", "/v3/grants/g1/messages"),
        ("GET", "/v3/grants/g1/messages/m1"),
        ("POST", "/v3/grants/g1/messages/send"),
        ("GET", "/v3/grants/g1/attachments/att1?message_id=m1"),
        ("GET", "/v3/grants/g1/attachments/att1/download?message_id=m1"),
        ("GET", "/v3/grants/g1/messages/m1/attachments/att1/download"),
        ("GET", "/v3/grants/g1/calendars"),
        ("GET", "/v3/grants/g1/events?calendar_id=c"),
        ("GET", "/v3/grants/g1/connections"),
        ("GET", "/v3/connections"),
        ("GET", "/v3/static-ips"),
        ("GET", "/v3/dynamic-ips"),
        ("GET", "/a/app-v2/ip_addresses"),
        ("GET", "/messages"),
        ("GET", "/messages/m1"),
        ("POST", "/send"),
    ],
)
async def test_nothing_is_answered_to_nobody(world: World, anybody: httpx.AsyncClient, method: str, path: str) -> None:
    answer = await anybody.request(method, path)
    assert answer.status_code == 401
    assert world.mailbox.calls == world.sender.calls == world.ledger.asked == []


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(
    st.sampled_from([b"", b"Basic ", b"Bearer "]),
    st.binary(max_size=20).filter(lambda b: not set(b) & set(b"\r\n\x00")),
    st.sampled_from(["/v3/grants", "/account", "/a/app-v2/accounts"]),
)
async def test_any_authorization_is_refused_or_known(
    anybody: httpx.AsyncClient, scheme: bytes, secret: bytes, path: str
) -> None:
    answer = await anybody.get(path, headers=[(b"Authorization", scheme + secret)])
    assert answer.status_code == 401
