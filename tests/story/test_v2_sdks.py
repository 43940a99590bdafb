"""What applications of v2 do day by day, by both official SDKs of v2, against a whole Mooring that speaks TLS."""

from http import HTTPStatus
from typing import Any

import pytest

from tests.agents import Agent, Refused, node_sdk, python_sdk
from tests.lab.dovecot import User
from tests.running import SERVERS, Running, credentials
from tests.story.v2_customer import DONE, HISTORY, Customer


def connected(customer: Customer, user: User) -> str:
    """A code for the user's account."""
    return customer.authorize(user).json()["code"]


def test_tokens_and_accounts_by_the_python_sdk(v2_mooring: Running, customer: Customer) -> None:
    user = customer.user("dora-tokens")
    with python_sdk(v2_mooring, customer.id, customer.secret) as sdk:
        tokens = [sdk("client().token_for_code({code})", code=connected(customer, user)) for _ in range(3)]
        account = sdk("client({token}).account.id", token=tokens[0])
        info = sdk("client({token}).token_info()", token=tokens[0])
        assert (info["state"], info["scopes"]) == ("valid", "email.modify,email.send")
        assert sdk("[a.id for a in client().accounts.all()]") == [account]
        assert sdk("[a.id for a in client({token}).accounts.all()]", token=tokens[0]) == [account]
        with pytest.raises(Refused, match="client secret") as refused:
            sdk("client({token}).accounts.get({account}).downgrade()", token=tokens[0], account=account)
        assert refused.value.status == 403
        named = sdk(
            "account = client().accounts.get({account}); account.metadata = {'team': 'pier'}; account.save();"
            "client().accounts.get({account}).metadata",
            account=account,
        )
        assert named == {"team": "pier"}

        sdk("client({token}).revoke_token()", token=tokens[0])
        sdk("client({token}).revoke_all_tokens(keep_access_token={token})", token=tokens[1])
        assert [is_good(sdk, token) for token in tokens] == [False, True, False]
        assert sdk("client().accounts.get({account}).downgrade().id", account=account) is None
        assert customer.state(account) == "stopped"
        sdk("client().accounts.get({account}).upgrade()", account=account)
        customer.running(account)


def test_tokens_by_the_node_sdk(v2_mooring: Running, customer: Customer) -> None:
    user = customer.user("emil-node")
    with node_sdk(v2_mooring, customer.id, customer.secret) as sdk:
        found = sdk("return await nylas.exchangeCodeForToken({code})", code=connected(customer, user))
        token, account = found["access_token"], found["account_id"]
        assert (found["email_address"], found["token_type"]) == (user.address, "bearer")
        info = sdk("return (await nylas.accounts.find({id})).tokenInfo({token})", id=account, token=token)
        assert info["state"] == "valid"
        lists = sdk("return (await nylas.accounts.find({id})).ipAddresses()", id=account)
        assert lists["ip_addresses"] == customer.administrate("GET", "/ip_addresses").json()["ip_addresses"]
        assert sdk("return await nylas.revoke({token})", token=token) == DONE
        with pytest.raises(Refused) as gone:
            sdk("return await nylas.with({token}).account.get()", token=token)
        assert (gone.value.status, gone.value.type) == (401, "auth_error")


def test_mail_by_the_node_sdk(v2_mooring: Running, customer: Customer) -> None:
    user = customer.user("frida-node")
    with node_sdk(v2_mooring, customer.id, customer.secret) as sdk:
        found = sdk("return await nylas.exchangeCodeForToken({code})", code=connected(customer, user))
        customer.running(found["account_id"])

        def mine(code: str, **words: object) -> Any:
            return sdk(f"const mine = nylas.with({{token}}); {code}", token=found["access_token"], **words)

        assert mine("return await mine.messages.count()") == HISTORY
        ids = mine("return await mine.messages.list({ view: 'ids' })")
        assert len(ids) == HISTORY
        assert mine("return (await mine.messages.findMultiple({ids})).map(m => m.id)", ids=ids[:3]) == ids[:3]
        expanded = mine("return await mine.messages.find({id}, { expanded: true })", id=ids[0])
        assert expanded["headers"]["Message-Id"] in mine("return await mine.messages.findRaw({id})", id=ids[0])
        assert all(mine("return (await mine.messages.list({ unread: true })).map(m => m.unread)"))
        threads = mine("return (await mine.threads.list()).map(t => t.messageIds)")
        assert sorted(i for thread in threads for i in thread) == sorted(ids)
        assert "inbox" in mine("return (await mine.folders.list()).map(f => f.name)")
        files = mine(
            "const files = await mine.files.list(), downloads = await Promise.all(files.map(f => f.download()));"
            "return files.map((f, i) => [f.size, downloads[i].body.length])"
        )
        assert files
        assert all(size == length for size, length in files)
        with pytest.raises(Refused, match="no labels"):
            mine("return await mine.labels.list()")


def test_a_mailbox_is_the_same_from_the_moment_it_is_connected(v2_mooring: Running, customer: Customer) -> None:
    user = customer.user("hugo-at-once")
    with python_sdk(v2_mooring, customer.id, customer.secret) as sdk:
        token = sdk("client().token_for_code({code})", code=connected(customer, user))
        at_once = sdk("[m.id for m in client({token}).messages.all()]", token=token)
        assert len(at_once) == HISTORY
        customer.running(sdk("client({token}).account.id", token=token))
        assert sdk("[m.id for m in client({token}).messages.all()]", token=token) == at_once


def test_a_wrong_password_is_told(v2_mooring: Running, customer: Customer) -> None:
    user = customer.user("gisa-wrong")
    settings = {**credentials(user), **SERVERS, "imap_password": "Wrong-4711"}
    native = {
        "provider": "imap",
        "emailAddress": user.address,
        "name": "Gisa",
        "scopes": ["email"],
        "settings": settings,
    }
    with node_sdk(v2_mooring, customer.id, customer.secret) as sdk, pytest.raises(Refused) as refused:
        sdk("return await nylas.connect.authorize({native})", native=native)
    assert (refused.value.status, refused.value.type) == (400, "api.provider_error")
    assert "Wrong-4711" not in refused.value.message


def is_good(sdk: Agent, token: str) -> bool:
    """Whether the token opens its account."""
    try:
        return bool(sdk("client({token}).account.id", token=token))
    except Refused as refused:
        if refused.status != HTTPStatus.UNAUTHORIZED:
            raise
        return False
