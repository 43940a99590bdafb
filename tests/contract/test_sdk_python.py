"""The official Python SDK against the served application: what it reads, and what its errors carry."""

import asyncio
import io
import socket
from collections.abc import AsyncIterator, Callable
from typing import Any, TypeVar, cast

import pytest
import uvicorn
from nylas import Client
from nylas.models.errors import NylasApiError, NylasOAuthError

from mooring import errors
from mooring.api import create_app
from mooring.mail import Party
from tests.unit.api.fakes import GRANT, NOW_S, PASSWORD, V3_KEY, V3_TOKEN, World

T = TypeVar("T")

THREE_MIB = 3 * 1024 * 1024
"""From this on the SDK sends multipart."""


class Served(uvicorn.Server):
    """A server that says when it takes connections."""

    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self.listening = asyncio.Event()

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self.listening.set()


@pytest.fixture
def world() -> World:
    return World()


@pytest.fixture
async def url(world: World) -> AsyncIterator[str]:
    """The application, served on the loopback."""
    listener = socket.create_server(("127.0.0.1", 0))
    config = uvicorn.Config(
        cast("Any", create_app(world.services())), loop="asyncio", lifespan="off", log_level="error"
    )
    server = Served(config)
    serving = asyncio.create_task(server.serve(sockets=[listener]))
    await server.listening.wait()
    yield f"http://127.0.0.1:{listener.getsockname()[1]}"
    server.should_exit = True
    await serving


@pytest.fixture
def nylas(url: str) -> Client:
    return Client(V3_KEY, api_uri=url)


async def call(function: Callable[..., T], *args: Any, **kwargs: Any) -> T:
    """The SDK blocks, so it gets a thread."""
    return await asyncio.to_thread(function, *args, **kwargs)


async def failed(function: Callable[..., Any], *args: Any, **kwargs: Any) -> NylasApiError:
    with pytest.raises(NylasApiError) as caught:
        await call(function, *args, **kwargs)
    return caught.value


async def test_custom_authentication(world: World, nylas: Client) -> None:
    answer = await call(
        nylas.auth.custom_authentication,
        {
            "provider": "imap",
            "settings": {
                "imap_host": "imap.example.com",
                "imap_port": 993,
                "imap_username": "ann@example.com",
                "imap_password": PASSWORD,
            },
        },
    )
    assert (answer.data.id, answer.data.provider, answer.data.grant_status) == ("g1", "imap", "valid")
    assert answer.headers is not None
    assert answer.request_id == answer.headers["X-Request-Id"]
    assert PASSWORD not in str(answer)
    assert world.grants.connected[0].user_agent.startswith("Nylas Python SDK")


async def test_grants(nylas: Client) -> None:
    [listed] = (await call(nylas.grants.list, {"limit": 5})).data
    found = (await call(nylas.grants.find, "g1")).data
    assert listed == found
    assert (found.email, found.created_at) == (GRANT.email, NOW_S)
    assert (await call(nylas.grants.update, "g1", {"scope": ["a"]})).data.id == "g1"
    assert (await call(nylas.grants.destroy, "g1")).request_id


async def test_a_slash_at_the_end_of_the_uri(url: str) -> None:
    assert (await call(Client(V3_KEY, api_uri=f"{url}/").grants.find, "g1")).data.id == "g1"


async def test_an_email_as_identifier_and_me(url: str, nylas: Client) -> None:
    assert (await call(nylas.folders.list, GRANT.email)).data[0].id == "inbox"
    assert (await call(Client(V3_TOKEN, api_uri=url).folders.list, "me")).data[0].id == "inbox"


async def test_messages_page_by_page(world: World, nylas: Client) -> None:
    seen: list[str | None] = []
    query: Any = {"limit": 2, "unread": True, "any_email": ["a@b.c", "d@e.f"], "subject": "a b"}
    while True:
        page = await call(nylas.messages.list, "g1", query_params=query)
        seen += [m.id for m in page.data]
        if page.next_cursor is None:
            break
        query = {**query, "page_token": page.next_cursor}
    assert seen == ["m0", "m1", "m2", "m3", "m4"]
    wanted = world.mailbox.calls[0][2]
    assert (wanted.unread, wanted.any_email, wanted.subject) == (True, ("a@b.c", "d@e.f"), "a b")


async def test_a_message(nylas: Client) -> None:
    found = (await call(nylas.messages.find, "g1", "m1")).data
    assert (found.grant_id, found.object, found.date) == ("g1", "message", NOW_S - 1)
    assert found.from_ == [{"email": "bob@example.com", "name": "Bob"}]
    assert found.attachments is not None
    assert found.attachments[0].id == "att1"


async def test_a_message_with_its_headers_and_as_mime(nylas: Client) -> None:
    found = (await call(nylas.messages.find, "g1", "m1", query_params={"fields": "include_headers"})).data
    assert found.headers is not None
    assert [h.name for h in found.headers] == ["Received", "Message-ID", "Received"]
    raw = (await call(nylas.messages.find, "g1", "m1", query_params={"fields": "raw_mime"})).data
    assert raw.raw_mime
    selected = (await call(nylas.messages.find, "g1", "m1", query_params={"select": "subject"})).data
    assert (selected.subject, selected.body) == ("Number 1", None)


async def test_sending_json(world: World, nylas: Client) -> None:
    answer = await call(
        nylas.messages.send,
        "g1",
        {
            "to": [{"email": "a@b.c", "name": "Ä"}],
            "from_": [{"email": "f@b.c"}],
            "subject": "Grüße",
            "body": "hi",
            "attachments": [
                {"filename": "a.txt", "content_type": "text/plain", "content": io.BytesIO(b"hi"), "size": 2}
            ],
        },
        overrides={"headers": {"Idempotency-Key": "once"}},
    )
    assert (answer.data.id, answer.data.grant_id) == ("m99", "g1")
    [(submission, key)] = world.sender.sent
    assert (submission.to, submission.from_, submission.subject, key) == (
        (Party("a@b.c", "Ä"),), Party("f@b.c"), "Grüße", "once",
    )  # fmt: skip
    assert submission.attachments[0].content == b"hi"


async def test_sending_multipart(world: World, nylas: Client) -> None:
    content = bytes(range(256)) * (THREE_MIB // 256 + 1)
    answer = await call(
        nylas.messages.send,
        "g1",
        {
            "to": [{"email": "a@b.c"}],
            "subject": "Grüße",
            "attachments": [
                {"filename": "ü.bin", "content_type": "application/x-b", "content": io.BytesIO(content),
                 "size": len(content)},
                {"filename": "logo.png", "content_type": "image/png", "content": io.BytesIO(b"png"), "size": 3,
                 "content_id": "logo@x", "is_inline": True},
            ],
        },
    )  # fmt: skip
    assert answer.data.id == "m99"
    [(submission, _)] = world.sender.sent
    first, second = submission.attachments
    assert submission.subject == "Grüße"
    assert (first.filename, first.content_type, first.content == content) == ("ü.bin", "application/x-b", True)
    assert (second.content_id, second.is_inline, second.content) == ("logo@x", True, b"png")


async def test_attachments(world: World, nylas: Client) -> None:
    query: Any = {"message_id": "<a/b@c>"}
    assert (await call(nylas.attachments.find, "g1", "att1", query)).data.size == 5
    assert await call(nylas.attachments.download_bytes, "g1", "att1", query) == b"%PDF-"
    streamed = await call(nylas.attachments.download, "g1", "att1", query)
    assert (streamed.headers["Content-Type"], streamed.content) == ("application/pdf", b"%PDF-")
    assert {call_[2] for call_ in world.mailbox.calls} == {"<a/b@c>"}


async def test_calendars_and_events(nylas: Client) -> None:
    [calendar] = (await call(nylas.calendars.list, "g1")).data
    assert (await call(nylas.calendars.find, "g1", "primary")).data == calendar
    [event] = (await call(nylas.events.list, "g1", {"calendar_id": "cal1", "start": 1, "end": 2})).data
    found = (await call(nylas.events.find, "g1", "ev1", {"calendar_id": "cal1"})).data
    assert event.when == found.when
    assert (found.title, found.participants[0].email) == ("Standup", "bob@example.com")


async def test_the_application(nylas: Client) -> None:
    info = (await call(nylas.applications.info)).data
    assert (info.application_id, info.region, info.branding.name) == ("app-v3", "us", "Acme")


async def test_a_wrong_key(url: str) -> None:
    error = await failed(Client("wrong", api_uri=url).grants.list)
    assert (error.type, error.status_code) == ("api.authentication_error", 401)


async def test_what_is_not_there(nylas: Client) -> None:
    error = await failed(nylas.messages.find, "g1", "<nope/x@y>")
    assert (error.type, error.status_code, str(error)) == (
        "api.not_found_error", 404, "There is no such message.",
    )  # fmt: skip
    assert error.request_id == error.headers["X-Request-Id"]


async def test_an_unreachable_server(world: World, nylas: Client) -> None:
    world.mailbox.error = errors.ProviderFailure(
        "imap.example.com did not answer", stage="connect", reason="timeout", host="imap.example.com", port=993,
        source="203.0.113.10", environment="static", traffic="live",
    )  # fmt: skip
    error = await failed(nylas.messages.list, "g1")
    assert (error.type, error.status_code) == ("api.provider_error", 504)
    assert error.provider_error is not None
    assert (error.provider_error["stage"], error.provider_error["class"]) == ("connect", "live")


async def test_our_own_exit(world: World, nylas: Client) -> None:
    world.mailbox.error = errors.NoSource("the pool is empty", reason="empty_pool")
    error = await failed(nylas.messages.list, "g1")
    assert (error.type, error.status_code, error.provider_error) == ("api.egress_error", 503, None)


async def test_routes_that_do_not_exist_are_errors_that_the_sdk_can_read(nylas: Client) -> None:
    error = await failed(nylas.contacts.list, "g1")
    assert (error.type, error.status_code) == ("api.not_found_error", 404)


async def test_oauth_errors(nylas: Client) -> None:
    with pytest.raises(NylasOAuthError) as caught:
        await call(nylas.auth.exchange_code_for_token, {"code": "c", "redirect_uri": "http://x", "client_id": "i"})
    assert caught.value.status_code == 404
    assert caught.value.error_description
