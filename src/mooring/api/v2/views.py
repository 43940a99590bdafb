"""Accounts of v2 as they look on the wire (contract 6.3), and what every route may answer."""

from typing import Any

import msgspec

from mooring.api.answers import unix
from mooring.grants import Grant, GrantStatus


class AccountView(msgspec.Struct):
    """An account as its own access token sees it."""

    id: str
    account_id: str
    email_address: str
    name: str
    provider: str
    sync_state: str
    linked_at: int | None
    organization_unit: str = "folder"
    billing_state: str = "paid"
    object: str = "account"


class ConnectedView(AccountView):
    """The same, with the access token, which is shown this once."""

    access_token: str = ""


class ManagedAccountView(msgspec.Struct):
    """An account as its application sees it."""

    id: str
    account_id: str
    namespace_id: str
    email: str
    provider: str
    sync_state: str
    created_at: int | None
    billing_state: str = "paid"
    authentication_type: str = "password"
    trial: bool = False
    metadata: dict[str, str] = {}


class SuccessView(msgspec.Struct):
    """It was done; ``true`` in quotes, as v2 has it (contract 6.3)."""

    success: str = "true"


class Count(msgspec.Struct):
    """How many there are: the view ``count`` of a list."""

    count: int


def account_view(grant: Grant) -> AccountView:
    """The account to its own token."""
    return AccountView(**_account(grant))


def connected_view(grant: Grant, access_token: str) -> ConnectedView:
    """The account to whoever has just connected it."""
    return ConnectedView(**_account(grant), access_token=access_token)


def managed_account_view(grant: Grant) -> ManagedAccountView:
    """The account to its application."""
    state = sync_state(grant)
    return ManagedAccountView(
        id=grant.id,
        account_id=grant.id,
        namespace_id=grant.id,
        email=grant.email,
        provider=grant.provider,
        sync_state="invalid-credentials" if state == "invalid" else state,
        created_at=unix(grant.created_at),
        metadata=grant.metadata,
    )


def sync_state(grant: Grant) -> str:
    """How its synchronisation is doing, in v2's words (contract 6.4)."""
    if grant.stopped_at is not None:
        return "stopped"
    if grant.status is GrantStatus.INVALID:
        return "invalid"
    if grant.sync_error is not None:
        return "sync_error"
    return "initializing" if grant.synced_at is None else "running"


def _account(grant: Grant) -> dict[str, Any]:
    return {
        "id": grant.id,
        "account_id": grant.id,
        "email_address": grant.email,
        "name": grant.name,
        "provider": grant.provider,
        "sync_state": sync_state(grant),
        "linked_at": unix(grant.created_at),
    }
