"""Endpoints that must not be called, and endpoints that misbehave: contained, and said."""

from dataclasses import replace

import pytest

from mooring.egress import Outcome
from mooring.errors import EgressError, InvalidRequest, NotFound, TargetNotAllowed
from mooring.events import EventType
from mooring.webhooks import WebhookChanges, Webhooks
from tests.egress.exits import Names
from tests.store.webhooks.conftest import SOURCE, House, dialer_of
from tests.store.webhooks.receivers import HOST, Receiver, receiving
from tests.waiting import until_async


async def first_reason(house: House, receiver: Receiver) -> str:
    """Why the first delivery did not count."""
    async with house.delivering():
        new = await house.hook(receiver)
        await house.happen("g1")

        async def tried() -> bool:
            return bool(await house.webhooks.attempts(new.webhook))

        await until_async(tried, timeout_s=20)
    return (await house.webhooks.attempts(new.webhook))[-1].reason


@pytest.mark.parametrize("answer", [b"", b"something else", b'"quoted"'])
async def test_an_endpoint_that_does_not_pass_the_challenge_is_refused(house: House, answer: bytes) -> None:
    async with receiving() as receiver:
        receiver.challenge_answer = answer
        with pytest.raises(InvalidRequest, match="did not pass the challenge: it answered 200"):
            await house.hook(receiver)
    assert await house.webhooks.of_application(house.application) == []


async def test_nobody_listens(house: House) -> None:
    async with receiving() as receiver:
        url = receiver.url
    with pytest.raises(InvalidRequest, match="did not pass the challenge: connect"):
        await house.webhooks.create(house.application, WebhookChanges(url=url, trigger_types=("message.created",)))


@pytest.mark.parametrize(
    "url",
    [
        "ftp://example.com/", "https:///x", "nonsense", "https://user:word@example.com/", "https://exa mple.com/",
        "https://example.com:99999/", "https://example.com:0/", f"https://example.com/{'x' * 3000}", "https://bücher.de/",
        "https://xn--/", "https://xn--a/", "https://[v1.a]/", "https://256.1.1.1/", "https://[::1/",
    ],
)  # fmt: skip
async def test_what_is_no_url_of_an_endpoint_is_refused(house: House, url: str) -> None:
    with pytest.raises(InvalidRequest, match="webhook_url"):
        await house.webhooks.create(house.application, WebhookChanges(url=url, trigger_types=("message.created",)))


async def test_a_private_address_and_metadata_are_no_targets(house: House) -> None:
    for url in ("http://169.254.169.254/latest", "http://10.0.0.1:8080/", "http://[::ffff:10.0.0.1]:8080/"):
        with pytest.raises(TargetNotAllowed):
            await house.webhooks.create(house.application, WebhookChanges(url=url, trigger_types=("message.created",)))


async def test_a_test_event_is_signed_with_the_secret_that_everybody_knows(house: House) -> None:
    async with receiving() as receiver:
        await house.webhooks.send_test(house.application, receiver.url, EventType.GRANT_EXPIRED)
    [delivered] = receiver.taken
    assert delivered.is_signed_by("mock-webhook-secret")
    assert (delivered.told["type"], delivered.source) == ("grant.expired", SOURCE)
    assert delivered.told["data"]["application_id"] == house.application.id
    assert await house.webhooks.of_application(house.application) == []


async def test_a_test_event_that_is_not_taken_says_why_and_on_whose_side(house: House) -> None:
    async def said(url: str) -> str:
        with pytest.raises(InvalidRequest) as refused:
            await house.webhooks.send_test(house.application, url, EventType.MESSAGE_CREATED)
        return refused.value.message

    async with receiving(lambda told: 500) as receiver:
        assert await said(receiver.url) == "The endpoint did not take the test event: it answered 500."
    assert (await said(receiver.url)).startswith("The endpoint did not take the test event: connect: ")
    assert "webhook_url" in await said("nonsense")
    with pytest.raises(TargetNotAllowed):
        await house.webhooks.send_test(house.application, "http://10.0.0.1/", EventType.MESSAGE_CREATED)
    elsewhere = replace(house.application, region="eu")
    with pytest.raises(EgressError, match="webhook-eu-static"):
        await house.webhooks.send_test(elsewhere, receiver.url, EventType.MESSAGE_CREATED)


async def test_without_a_pool_it_is_ours(house: House) -> None:
    async with receiving() as receiver:
        elsewhere = replace(house.application, region="eu")
        with pytest.raises(EgressError, match="webhook-eu-static"):
            await house.webhooks.create(elsewhere, WebhookChanges(url=receiver.url, trigger_types=("message.created",)))


async def test_a_trigger_that_there_is_none_of(house: House) -> None:
    async with receiving() as receiver:
        with pytest.raises(InvalidRequest, match="there is no 'message"):
            await house.hook(receiver, trigger_types=("message.eaten",))


async def test_a_name_that_leads_elsewhere_later_is_not_called(house: House) -> None:
    async with receiving() as receiver:
        names = Names({"hooks.test": [[HOST], ["10.0.0.1"]]})
        house.dialer = dialer_of(house.db, house.ledger, names=names)
        house.webhooks = Webhooks(house.db, house.vault, house.dialer, house.clock)
        receiver.url = receiver.url.replace(HOST, "hooks.test")
        reason = await first_reason(house, receiver)
    assert reason.startswith("not a target that is dialled")
    assert receiver.came == []
    assert (await house.ledger.entries(limit=1))[0].outcome == Outcome.NOT_DIALLED


async def test_redirects_are_not_followed(house: House) -> None:
    async with receiving(lambda told: 302) as receiver, receiving() as target:
        receiver.headers = f"Location: {target.url}\r\n"
        assert await first_reason(house, receiver) == "answered 302, and redirects are not followed"
        assert target.came == []


@pytest.mark.parametrize("location", ["https://xn--a/", "https://[v1.a]/", "https://256.1.1.1/"])
async def test_a_redirect_to_what_is_no_url_is_a_failure_of_the_endpoint(house: House, location: str) -> None:
    async with receiving(lambda told: 302) as receiver:
        receiver.headers = f"Location: {location}\r\n"
        with pytest.raises(InvalidRequest, match="the test event: it answered 302"):
            await house.webhooks.send_test(house.application, receiver.url, EventType.MESSAGE_CREATED)
        assert await first_reason(house, receiver) == "answered 302, and redirects are not followed"


async def test_an_endless_answer_is_not_read(house: House) -> None:
    async with receiving() as receiver, house.delivering():
        new = await house.hook(receiver)
        receiver.body = bytes(50_000_000)
        await house.happen("g1", 3)
        await house.settled(new)
    assert receiver.taken_of("g1") == [1, 2, 3]


async def test_an_endpoint_of_another_application_is_not_found(house: House) -> None:
    async with receiving() as receiver:
        new = await house.hook(receiver)
    stranger = replace(house.application, id="somebody")
    with pytest.raises(NotFound):
        await house.webhooks.find(stranger, new.webhook.id)
    with pytest.raises(NotFound):
        await house.webhooks.destroy(stranger, new.webhook.id)
