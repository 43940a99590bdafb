"""The article of v2, line by line (S5 to S13), told by the official SDKs of v2 in front of a real mail host.

The host admits the static addresses and nobody else. The delay is five seconds, of the real clock.
"""

import time
from collections.abc import Callable
from typing import Any

import pytest

from tests.agents import Agent, Refused, node_sdk, python_sdk
from tests.endpoint import Endpoint
from tests.lab.dovecot import User
from tests.lab.firewall import Firewall
from tests.lab.laboratory import Laboratory
from tests.running import SERVERS, Running, credentials
from tests.story.v2_customer import (
    CALLBACK,
    DELAY_S,
    DONE,
    DYNAMIC,
    HISTORY,
    STATIC,
    TRIGGERS,
    Customer,
    code_of,
    subscribe,
)
from tests.waiting import until

SUBJECTS = "[(m.id, m.subject) for m in client({token}).messages.all()]"


def test_s5_s6_the_lists_by_both_sdks_with_the_feature_off_and_on(v2_mooring: Running, customer: Customer) -> None:
    with (
        python_sdk(v2_mooring, customer.id, customer.secret) as python,
        node_sdk(v2_mooring, customer.id, customer.secret) as node,
    ):
        before = python("client().ip_addresses()")
        assert before["ip_addresses"] == before["dynamic_ip_addresses"] == list(DYNAMIC)
        assert before["static_ip_addresses"] == list(STATIC)
        customer.switch_on()
        assert python("client().ip_addresses()")["ip_addresses"] == list(STATIC)
        assert node("return await nylas.application()")["redirect_uris"] == []
        changed = python("client().update_application_details(redirect_uris=[{uri}])", uri=CALLBACK)
        assert changed == python("client().application_details()")
        assert node("return await nylas.application()")["redirect_uris"] == [CALLBACK]


def test_s9_to_s13_two_authentications_on_hosted_pages_move_an_account(
    v2_mooring: Running, customer: Customer, firewall: Firewall, receiver: Endpoint
) -> None:
    customer.switch_on()
    user = customer.user("anna-two")
    firewall.admit_only(STATIC)
    firewall.forget()
    with python_sdk(v2_mooring, customer.id, customer.secret) as sdk:
        sdk("client().update_application_details(redirect_uris=[{uri}])", uri=CALLBACK)
        subscribe(sdk, receiver)
        url = sdk(customer.hosted)
        code = code_of(customer.consent(url, user))
        authenticated = time.time()
        token = sdk("client().token_for_code({code})", code=code)
        account = sdk("client({token}).account.id", token=token)

        before = too_early_changes_nothing(customer, sdk, user, account)
        customer.stopped_at_once(account, authenticated)
        assert sdk("client({token}).account.sync_state", token=token) == "stopped"
        first = customer.dials(account)
        assert {traffic for traffic, _ in first} == {"auth"}
        assert {source for _, source in first} | firewall.sources() <= set(STATIC)
        firewall.forget()

        assert v2_mooring.stop() == 0
        v2_mooring.start()
        news = customer.arrive(user, seed=97)
        assert customer.placed(account) == before
        assert customer.state(account) == "stopped"
        assert (customer.dials(account), firewall.sources()) == (first, set())

        again = customer.goes_on(lambda: customer.consent(url, user), account, DELAY_S)
        token = sdk("client().token_for_code({code})", code=code_of(again))
        assert sdk("client({token}).account.id", token=token) == account
        customer.running(account)
        the_news_is_told_and_no_history(customer, account, lambda: sdk(SUBJECTS, token=token), news)

        third = customer.authorize(user)
        assert third.status_code == 200, third.text
        token = sdk("client().token_for_code({code})", code=third.json()["code"])
        assert sdk("client({token}).account.id", token=token) == account
        customer.running(account)
        assert len(customer.deltas("account.stopped", account)) == 1
        reads_and_sends(sdk, token, user, customer.lab)
        everything_leaves_by_static_addresses(customer, account, firewall)


def test_s12_an_administrators_start_moves_it_instead(
    v2_mooring: Running, customer: Customer, firewall: Firewall, receiver: Endpoint
) -> None:
    customer.switch_on()
    user = customer.user("bert-start")
    firewall.admit_only(STATIC)
    firewall.forget()
    with node_sdk(v2_mooring, customer.id, customer.secret) as sdk:
        sdk(
            "const hook = nylas.webhooks.build({ callbackUrl: {url}, triggers: {triggers} }); await hook.save();",
            url=receiver.url, triggers=TRIGGERS,
        )  # fmt: skip
        native = {
            "provider": "imap", "emailAddress": user.address, "name": "Bert", "scopes": ["email.modify"],
            "settings": {**credentials(user), **SERVERS},
        }  # fmt: skip
        code = sdk("return (await nylas.connect.authorize({native})).code", native=native)
        authenticated = time.time()
        token = sdk("return (await nylas.connect.token({code})).accessToken", code=code)
        account = sdk("return (await nylas.with({token}).account.get()).accountId", token=token)
        with pytest.raises(Refused) as early:
            sdk("return await (await nylas.accounts.find({account})).upgrade()", account=account)
        assert (early.value.status, early.value.type) == (409, "invalid_request_error")
        assert "seconds" in early.value.message

        customer.stopped_at_once(account, authenticated)
        first = customer.dials(account)
        assert sdk("return (await nylas.accounts.list())[0].syncState") == "stopped"
        assert sdk("return await (await nylas.accounts.find({account})).downgrade()", account=account) == DONE
        for read in ("messages.list({ limit: 5 })", "threads.list({ limit: 5 })", "folders.list()"):
            with pytest.raises(Refused, match="stopped until") as refused:
                sdk(f"return await nylas.with({{token}}).{read}", token=token)
            assert (refused.value.status, refused.value.type) == (403, "invalid_request_error")

        v2_mooring.kill()
        v2_mooring.start()
        news = customer.arrive(user, seed=98)
        assert customer.dials(account) == first
        started = customer.goes_on(
            lambda: customer.administrate("POST", f"/accounts/{account}/upgrade"), account, DELAY_S
        )
        assert started.json() == DONE
        customer.running(account)
        assert [dial for dial in customer.dials(account) if dial[0] == "auth"] == first
        inbox = "return (await nylas.with({token}).messages.list({ in: 'inbox' })).map(m => [m.id, m.subject])"
        the_news_is_told_and_no_history(customer, account, lambda: sdk(inbox, token=token), news)
        assert customer.deltas("account.running", account)
        everything_leaves_by_static_addresses(customer, account, firewall)


def test_s12_an_account_that_ran_stops_at_its_next_authentication_and_its_history_stays_readable(
    v2_mooring: Running, customer: Customer, firewall: Firewall, receiver: Endpoint
) -> None:
    user = customer.user("carla-ran")
    with python_sdk(v2_mooring, customer.id, customer.secret) as sdk:
        subscribe(sdk, receiver)
        token = sdk("client().token_for_code({code})", code=customer.authorize(user).json()["code"])
        account = sdk("client({token}).account.id", token=token)
        customer.running(account)
        customer.switch_on()
        for step in ("downgrade", "upgrade"):
            assert customer.administrate("POST", f"/accounts/{account}/{step}").json() == DONE
        customer.running(account)
        assert {source for _, source in customer.dials(account)} <= set(DYNAMIC)
        until(lambda: len(customer.deltas("account.stopped", account)) == 1, what="the plain stop is told")

        firewall.admit_only(STATIC)
        assert customer.authorize(user).status_code == 200
        until(lambda: len(customer.deltas("account.stopped", account)) == 2, timeout_s=2, what="it stops")
        stopped = customer.dials(account)

        listed = sdk(SUBJECTS, token=token)
        assert len(listed) == HISTORY
        assert history_is_whole(sdk, token, customer.lab, user)
        with pytest.raises(Refused, match="stopped until") as refused:
            send(sdk, token, user.address)
        assert (refused.value.status, refused.value.type) == (403, "invalid_request_error")
        news = customer.arrive(user, seed=99)
        assert customer.dials(account) == stopped

        customer.goes_on(lambda: customer.authorize(user), account, DELAY_S)
        customer.running(account)
        the_news_is_told_and_no_history(customer, account, lambda: sdk(SUBJECTS, token=token), news)
        before = set(stopped)
        assert {source for entry in customer.dials(account) if entry not in before for source in entry[1:]} <= set(
            STATIC
        )


def too_early_changes_nothing(customer: Customer, sdk: Agent, user: User, account: str) -> dict[str, Any]:
    """S12: before the delay has passed, both ways out are answered with how long is left; what was placed stays."""
    url = sdk(customer.hosted)
    before = customer.placed(account)
    refused = [customer.authorize(user), customer.consent(url, user)]
    with pytest.raises(Refused, match="seconds") as upgrade:
        sdk("client().accounts.get({account}).upgrade()", account=account)
    assert [answer.status_code for answer in refused] == [409, 409]
    assert (upgrade.value.status, refused[0].json()["type"]) == (409, "invalid_request_error")
    for answer in refused:
        left = int(answer.headers["Retry-After"])
        assert 0 < left <= DELAY_S
        assert f"{left} seconds" in answer.text
    assert customer.placed(account) == before
    return before


def the_news_is_told_and_no_history(
    customer: Customer, account: str, read: Callable[[], list[list[str]]], news: str
) -> None:
    """After the start, mail that arrived since the first authentication is announced; history is not."""
    [(_, delta)] = until(lambda: customer.deltas("message.created", account), timeout_s=20, what="the news is told")
    identity = delta["object_data"]["id"]
    listed = read()
    assert len(listed) == HISTORY + 1
    assert [identity, news] in listed
    assert customer.announced(account) == [identity]


def history_is_whole(sdk: Agent, token: str, lab: Laboratory, user: User) -> bool:
    """Whether the SDK reads every message's bytes as the server has them."""
    read = sdk("[m.raw.decode('latin-1') for m in client({token}).messages.all()]", token=token)
    return sorted(read) == sorted(m.raw.decode("latin-1") for m in lab.dovecot.messages(user.address, "INBOX"))


def reads_and_sends(sdk: Agent, token: str, user: User, lab: Laboratory) -> None:
    """What an application does with an account day by day."""
    assert history_is_whole(sdk, token, lab, user)
    threads = sdk("[(t.id, t.message_ids, t.subject) for t in client({token}).threads.all()]", token=token)
    assert sum(len(ids) for _, ids, _ in threads) == HISTORY + 1
    one, ids, _ = max(threads, key=lambda thread: len(thread[1]))
    assert sdk("[m.id for m in client({token}).threads.get({one}).messages.all()]", token=token, one=one)[::-1] == ids
    assert "inbox" in sdk("[f.name for f in client({token}).folders.all()]", token=token)
    files = sdk("[(f.size, len(f.download())) for f in client({token}).files.all()]", token=token)
    assert files
    assert all(size == downloaded for size, downloaded in files)
    sent = send(sdk, token, user.address)
    until(
        lambda: any(m.raw.find(b"Hallo v2") >= 0 for m in lab.dovecot.messages(user.address, "INBOX")),
        timeout_s=20, what="the message that was sent arrives",
    )  # fmt: skip
    assert sent["subject"] == "Gruss"


def send(sdk: Agent, token: str, to: str) -> dict[str, Any]:
    return sdk(
        "draft = client({token}).drafts.create(); draft.to = [{'email': {to}}]; draft.subject = 'Gruss';"
        "draft.body = 'Hallo v2'; draft.send()",
        token=token, to=to,
    )  # fmt: skip


def everything_leaves_by_static_addresses(customer: Customer, account: str, firewall: Firewall) -> None:
    """The ledger and the administrator's firewall agree."""
    dials = customer.dials(account)
    assert {traffic for traffic, _ in dials} >= {"auth", "sync"}
    assert {source for _, source in dials} <= set(STATIC)
    assert firewall.sources() <= set(STATIC)
