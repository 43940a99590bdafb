"""Who calls too often is refused, told for how long, and nobody else is."""

from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any, cast

import httpx
import pytest

from mooring.api import create_app
from mooring.api.limits import BARRED_S, RATES, Limit, Limits
from mooring.errors import ProviderFailure, Unauthorized
from mooring.grants import CalendarServer, Server, Settings
from tests.unit.api.fakes import GRANT, V2_SECRET, V2_TOKEN, V3_KEY, V3_TOKEN, World

SETTINGS = {"imap_host": "imap.example.com", "imap_username": "ann", "imap_password": "p"}
CONNECT = {"provider": "imap", "settings": SETTINGS}
AUTHORIZE = {"client_id": "app-v2", "email_address": "ann@example.com", **CONNECT}
MULTIPART = {"Content-Type": "multipart/form-data; boundary=xyz"}
PARTS = b'--xyz\r\nContent-Disposition: form-data; name="message"\r\n\r\n{"to": []}\r\n--xyz--\r\n'


@dataclass
class StoppedClock:
    """Stands still until it is told to move."""

    seconds: float = 1000.0

    def now(self) -> datetime:
        return datetime.fromtimestamp(self.seconds, UTC)

    def monotonic(self) -> float:
        return self.seconds


@dataclass
class House:
    """An application that counts, its fakes and its clock."""

    world: World
    clock: StoppedClock
    app: Any

    @asynccontextmanager
    async def caller(
        self, secret: str | None = V3_KEY, address: str = "192.0.2.7"
    ) -> AsyncGenerator[httpx.AsyncClient]:
        """Somebody who calls from this address."""
        headers = {"Authorization": f"Bearer {secret}"} if secret else {}
        transport = httpx.ASGITransport(app=self.app, client=(address, 4711))
        async with httpx.AsyncClient(transport=transport, base_url="http://api.test", headers=headers) as client:
            yield client


@pytest.fixture
def house() -> House:
    world, clock = World(), StoppedClock()
    return House(world, clock, cast("Any", create_app(replace(world.services(), clock=clock))))


async def admitted(call: Callable[[], Awaitable[httpx.Response]], times: int) -> int:
    """How many of so many calls in a row are not refused for being too many."""
    return sum([(await call()).status_code != 429 for _ in range(times)])


def refused_login(stage: str = "login", reason: str = "authentication") -> ProviderFailure:
    return ProviderFailure(
        "The login was refused.", stage=stage, reason=reason, host="imap.example.com", port=993, source="",
        environment="static", traffic="auth", refused=reason == "authentication",
    )  # fmt: skip


@pytest.mark.parametrize(
    "path",
    ["/v3/applications", "/v3/grants", "/v3/grants/g1", "/v3/connections", "/v3/static-ips", "/v3/dynamic-ips"],
)
async def test_an_application_has_fifty_a_second(house: House, path: str) -> None:
    async with house.caller() as client:
        assert await admitted(lambda: client.get(path), 120) == 100
        house.clock.seconds += 1
        assert await admitted(lambda: client.get(path), 120) == 50


async def test_all_routes_of_an_application_count_together_and_its_accounts_do_not(house: House) -> None:
    async with house.caller() as client:
        await admitted(lambda: client.get("/v3/grants"), 100)
        assert (await client.get("/v3/static-ips")).status_code == 429
        assert (await client.get("/v3/grants/g1/messages")).status_code == 200


@pytest.mark.parametrize(
    "path",
    [
        "/v3/grants/g1/messages",
        "/v3/grants/g1/messages/m1",
        "/v3/grants/g1/folders",
        "/v3/grants/g1/calendars",
        "/v3/grants/g1/attachments/att1/download?message_id=m1",
        "/v3/grants/g1/connections",
    ],
)
async def test_an_account_has_two_hundred_a_second(house: House, path: str) -> None:
    async with house.caller() as client:
        assert await admitted(lambda: client.get(path), 410) == 400
        house.clock.seconds += 1
        assert await admitted(lambda: client.get(path), 210) == 200
        assert (await client.get("/v3/grants")).status_code == 200


async def test_two_hundred_diagnoses_at_once_and_then_two_a_second(house: House) -> None:
    async with house.caller() as client:

        async def ask() -> httpx.Response:
            return await client.post("/v3/diagnoses", json={"host": "imap.example.com"})

        assert await admitted(ask, 250) == 200
        house.clock.seconds += 10
        assert await admitted(ask, 50) == 20
        # What they come to can be asked for all the same, each by itself; and so can everything else.
        assert await admitted(lambda: client.get("/v3/diagnoses/d1"), 30) == 20
        assert await admitted(lambda: client.get("/v3/diagnoses/d1/stages"), 2) == 0
        assert (await client.get("/v3/diagnoses")).status_code == 200
        assert await admitted(lambda: client.get("/v3/diagnoses/other"), 10) == 10


async def test_who_looks_for_diagnoses_that_are_none_counts_as_its_application(house: House) -> None:
    async with house.caller() as client:
        numbers = iter(range(200))
        assert await admitted(lambda: client.get(f"/v3/diagnoses/x{next(numbers)}"), 120) == 100


async def test_an_account_counts_the_same_by_whichever_name_it_is_called(house: House) -> None:
    async with house.caller() as by_key, house.caller(V3_TOKEN) as by_token:
        await admitted(lambda: by_key.get("/v3/grants/g1/messages"), 200)
        await admitted(lambda: by_key.get("/v3/grants/ann+a@example.com/messages"), 100)
        assert await admitted(lambda: by_token.get("/v3/grants/me/messages"), 200) == 100


async def test_an_account_that_is_none_counts_as_its_application(house: House) -> None:
    async with house.caller() as client:
        assert await admitted(lambda: client.get("/v3/grants/nobody/messages"), 120) == 100


async def test_multipart_is_counted_apart_and_refused_before_it_is_read(house: House) -> None:
    path = "/v3/grants/g1/messages/send"

    async def unread() -> AsyncIterator[bytes]:
        raise AssertionError("the body was read")
        yield b""

    async with house.caller() as client:
        assert await admitted(lambda: client.post(path, content=PARTS, headers=MULTIPART), 25) == 20
        assert (await client.post(path, content=unread(), headers=MULTIPART)).status_code == 429
        assert (await client.post(path, json={"to": []})).status_code == 200
        house.clock.seconds += 1
        assert await admitted(lambda: client.post(path, content=PARTS, headers=MULTIPART), 25) == 10


async def test_a_refusal_in_the_envelope_of_v3(house: House) -> None:
    async with house.caller() as client:
        await admitted(lambda: client.get("/v3/grants"), 100)
        answer = await client.get("/v3/grants")
    assert answer.status_code == 429
    assert answer.headers["retry-after"] == "1"
    assert answer.json() == {
        "request_id": answer.headers["x-request-id"],
        "error": {
            "type": "rate_limit_error",
            "message": (
                "Too many requests of this application: 50 a second are allowed. Wait as long as Retry-After says."
            ),
        },
    }
    assert not [name for name in answer.headers if name.startswith("x-ratelimit")]


@pytest.mark.parametrize(
    ("path", "secret", "limit", "burst"),
    [
        ("/account", V2_TOKEN, "200", 400),
        ("/messages", V2_TOKEN, "200", 400),
        ("/a/app-v2/accounts", V2_SECRET, "50", 100),
    ],
)
async def test_a_refusal_of_v2_says_the_limit_too(house: House, path: str, secret: str, limit: str, burst: int) -> None:
    async with house.caller(secret) as client:
        assert await admitted(lambda: client.get(path), burst + 10) == burst
        answer = await client.get(path)
    assert answer.json().keys() == {"message", "type"}
    assert answer.json()["type"] == "rate_limit_error"
    headers = {name: answer.headers[name] for name in ("retry-after", "x-ratelimit-limit", "x-ratelimit-reset")}
    assert headers == {"retry-after": "1", "x-ratelimit-limit": limit, "x-ratelimit-reset": "1"}


@pytest.mark.parametrize(
    ("path", "secret"),
    [("/v3/grants", "wrong"), ("/v3/grants/me", "wrong"), ("/account", "wrong"), ("/a/app-v2/accounts", "wrong")],
)
async def test_keys_cannot_be_guessed_at_speed(house: House, path: str, secret: str) -> None:
    async with house.caller(None) as client:

        def guess() -> Awaitable[httpx.Response]:
            house.clock.seconds += 1e-4
            return client.get(path, headers={"Authorization": f"Bearer {secret}-{house.clock.seconds}"})

        assert await admitted(guess, 100) == 20
        looked_up = max(len(house.world.applications.calls), len(house.world.tokens.calls))
        assert looked_up == 20
        house.clock.seconds += 1
        assert 5 <= await admitted(guess, 100) <= 6


async def test_a_barred_address_is_still_open_for_keys_that_are_known(house: House) -> None:
    async with house.caller() as known, house.caller("wrong") as guessing, house.caller(V3_TOKEN) as new:
        assert (await known.get("/v3/grants")).status_code == 200
        await admitted(lambda: guessing.get("/v3/grants"), 30)
        assert (await known.get("/v3/grants")).status_code == 200
        assert (await new.get("/v3/grants/me")).status_code == 429
        house.clock.seconds += 1
        assert (await new.get("/v3/grants/me")).status_code == 200


async def test_a_key_that_was_revoked_is_unknown(house: House) -> None:
    async with house.caller() as client, house.caller("wrong") as guessing:
        await client.get("/v3/grants")
        await admitted(lambda: guessing.get("/v3/grants"), 30)
        house.world.applications.error = Unauthorized("Nobody has it.")
        assert [(await client.get("/v3/grants")).status_code for _ in range(2)] == [401, 429]


async def test_other_addresses_are_not_barred_but_neighbours_in_one_network_are(house: House) -> None:
    async with AsyncExitStack() as stack:
        addresses = ("2001:db8:1:2::1", "2001:db8:1:2:ffff::9", "2001:db8:1:3::1", "192.0.2.8", "::ffff:192.0.2.8")
        a, near, far, v4, mapped = [
            await stack.enter_async_context(house.caller("wrong", address)) for address in addresses
        ]
        await admitted(lambda: a.get("/v3/grants"), 30)
        answers = [(await client.get("/v3/grants")).status_code for client in (near, far, v4)]
        assert answers == [429, 401, 401]
        await admitted(lambda: v4.get("/v3/grants"), 30)
        assert (await mapped.get("/v3/grants")).status_code == 429


async def test_an_address_is_barred_for_a_minute_at_most(house: House) -> None:
    limits = Limits(house.clock, on=True)
    for number in range(10_000):
        limits.unknown("192.0.2.7", f"guess {number}")
    wait_s = limits._buckets[Limit.STRANGER].wait_s("192.0.2.7", house.clock.seconds)
    assert wait_s == pytest.approx(BARRED_S)


async def test_nothing_at_all_in_the_header_is_no_guess(house: House) -> None:
    async with house.caller(None) as client:
        answers = {(await client.get("/v3/grants")).status_code for _ in range(50)}
    assert answers == {401}


@pytest.mark.parametrize(
    ("method", "path", "body", "secret"),
    [
        ("POST", "/v3/connect/custom", CONNECT, V3_KEY),
        ("PATCH", "/v3/grants/g1", {"settings": {"imap_password": "q"}}, V3_KEY),
        ("POST", "/connect/authorize", AUTHORIZE, None),
    ],
)
async def test_an_application_connects_ten_accounts_a_second(
    house: House, method: str, path: str, body: Any, secret: str | None
) -> None:
    async with house.caller(secret) as client:
        assert await admitted(lambda: client.request(method, path, json=body), 30) == 20
        house.clock.seconds += 1
        assert await admitted(lambda: client.request(method, path, json=body), 30) == 10


@pytest.mark.parametrize(
    ("method", "path", "body", "secret"),
    [
        ("POST", "/v3/connect/custom", CONNECT, V3_KEY),
        ("PATCH", "/v3/grants/g1", {"settings": {"imap_password": "q"}}, V3_KEY),
        ("POST", "/connect/authorize", AUTHORIZE, None),
    ],
)
async def test_nobody_guesses_passwords_through_us(
    house: House, method: str, path: str, body: Any, secret: str | None
) -> None:
    house.world.grants.connecting_error = refused_login()
    async with house.caller(secret) as client:
        assert await admitted(lambda: client.request(method, path, json=body), 9) == 5
        answer = await client.request(method, path, json=body)
        assert (answer.status_code, answer.headers["retry-after"]) == (429, "12")
        house.clock.seconds += 60
        assert await admitted(lambda: client.request(method, path, json=body), 9) == 5


@pytest.mark.parametrize(
    "other",
    [
        {"imap_host": "mail.example.com"},
        {"imap_host": "IMAP.Example.COM."},
        {"imap_username": "ANN"},
        {"imap_password": "q"},
        {"imap_port": 143},
        {"imap_host": "imap.far.test", "imap_username": "me", "smtp_host": "smtp.example.com", "smtp_username": "ann"},
        {
            "imap_host": "imap.far.test", "imap_username": "me", "caldav_url": "https://dav.example.com/",
            "caldav_username": "ann",
        },
    ],
    ids=repr,
)  # fmt: skip
async def test_a_user_is_the_same_by_another_way_of_asking(house: House, other: dict[str, Any]) -> None:
    house.world.grants.connecting_error = refused_login()
    async with house.caller() as client:
        await admitted(lambda: client.post("/v3/connect/custom", json=CONNECT), 5)
        answer = await client.post("/v3/connect/custom", json={"provider": "imap", "settings": {**SETTINGS, **other}})
        assert answer.status_code == 429


async def test_other_users_and_other_domains_are_not_refused(house: House) -> None:
    house.world.grants.connecting_error = refused_login()
    async with house.caller() as client:
        await admitted(lambda: client.post("/v3/connect/custom", json=CONNECT), 5)
        for other in ({"imap_username": "bob"}, {"imap_host": "imap.far.test"}):
            body = {"provider": "imap", "settings": {**SETTINGS, **other}}
            assert (await client.post("/v3/connect/custom", json=body)).status_code == 400


@pytest.mark.parametrize(
    ("failure", "allowed"),
    [
        (None, 20),
        (refused_login("connect", "timeout"), 20),
        (refused_login("tls", "certificate"), 20),
        (refused_login("login", "closed"), 5),
        (refused_login("calendar", "authentication"), 5),
    ],
    ids=["success", "unreachable", "certificate", "hung up at the login", "calendar"],
)
async def test_only_a_failed_login_uses_up_a_try(house: House, failure: ProviderFailure | None, allowed: int) -> None:
    house.world.grants.connecting_error = failure
    async with house.caller() as client:
        assert await admitted(lambda: client.post("/v3/connect/custom", json=CONNECT), 25) == allowed


async def test_a_change_to_another_calendar_host_counts_for_that_host(house: House) -> None:
    servers = Settings(Server("imap.far.test", 993, "me"), None, CalendarServer("https://dav.far.test/", "me"))
    house.world.grants.found = replace(GRANT, settings=servers)
    house.world.grants.connecting_error = refused_login()
    change = {"settings": {"caldav_host": "imap.example.com", "caldav_username": "ann", "caldav_password": "q"}}
    async with house.caller() as client:
        await admitted(lambda: client.post("/v3/connect/custom", json=CONNECT), 5)
        assert (await client.patch("/v3/grants/g1", json=change)).status_code == 429


async def test_outsiders_who_authorize_do_not_use_up_the_application(house: House) -> None:
    async with house.caller(None) as outsider, house.caller(V2_SECRET) as own:
        await admitted(lambda: outsider.post("/connect/authorize", json=AUTHORIZE), 200)
        assert (await own.get("/a/app-v2/accounts")).status_code == 200


async def test_what_needs_no_key_is_not_counted(house: House) -> None:
    async with house.caller(None) as client:
        assert await admitted(lambda: client.get("/healthz"), 500) == 500


async def test_limits_can_be_off() -> None:
    world, clock = World(), StoppedClock()
    house = House(world, clock, create_app(replace(world.services(), clock=clock), rate_limits=False))
    world.grants.connecting_error = refused_login()
    async with house.caller() as client, house.caller("wrong") as guessing:
        assert await admitted(lambda: client.get("/v3/grants/g1/messages"), 500) == 500
        assert await admitted(lambda: client.get("/v3/grants"), 200) == 200
        assert await admitted(lambda: client.post("/v3/connect/custom", json=CONNECT), 30) == 30
        assert await admitted(lambda: guessing.get("/v3/grants"), 50) == 50


def test_a_burst_is_at_least_a_second_of_the_rate() -> None:
    assert all(rate.burst >= rate.count / rate.seconds for rate in RATES.values())
    assert RATES.keys() == set(Limit)
