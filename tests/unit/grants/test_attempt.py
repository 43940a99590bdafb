"""A failure is told with its stage, in the server's words, and never with a secret."""

import base64
from datetime import UTC, datetime
from ipaddress import ip_address

import pytest

from mooring.applications import Application, StaticIps
from mooring.config import Carrier, EnvironmentName, Generation, Kind, SourceConfig, Via
from mooring.egress import Caller, Route, Traffic
from mooring.errors import (
    AuthenticationFailed,
    ConnectionLost,
    ConnectionRefused,
    ConnectTimeout,
    HostUnreachable,
    InvalidRequest,
    LostOwnership,
    MooringError,
    NameNotFound,
    NetworkError,
    ProtocolError,
    ProviderFailure,
    ReadTimeout,
    RemoteProtocolError,
    ResolverTimeout,
    ServerRefused,
    SourceUnavailable,
    TargetNotAllowed,
    TLSFailed,
    WriteTimeout,
)
from mooring.grants import Attempt, Way, cleaned, way_of, way_to_authenticate
from mooring.grants.attempt import MESSAGE_MAX, SERVER_SAID_MAX
from mooring.protocols.imap import SaidGoodbye
from tests.unit.grants.test_settings import LEAST, grant_of, parse_settings

PASSWORD = 'pä"ss\\wörd 4711'
SOURCE = "192.0.2.7"


def way(traffic: Traffic = Traffic.AUTH, kind: Kind = Kind.STATIC) -> Way:
    return Way(traffic, EnvironmentName(Generation.V3, "us", kind), Caller("a", "s", "g"))


def told(error: MooringError, *, stage: str = "login", way_: Way | None = None, source: str = "") -> ProviderFailure:
    attempt = Attempt(way_ or way(), "imap.example.test", 993, secrets=(PASSWORD, ""), stage=stage, source=source)
    with pytest.raises(ProviderFailure) as caught, attempt.reported():
        raise error
    return caught.value


@pytest.mark.parametrize(
    ("error", "stage", "reason", "refused"),
    [
        (NameNotFound("x"), "resolve", "name_not_found", False),
        (ResolverTimeout("x"), "resolve", "timeout", False),
        (ConnectTimeout("x"), "connect", "timeout", False),
        (ConnectionRefused("x"), "connect", "refused", False),
        (HostUnreachable("x"), "connect", "unreachable", False),
        (TLSFailed("x", reason="certificate"), "tls", "certificate", True),
        (TLSFailed("x", reason="not_tls"), "tls", "not_tls", True),
        (TLSFailed("x", reason="timeout"), "tls", "timeout", False),
        (ReadTimeout("x"), "under way", "timeout", False),
        (ConnectionLost("x"), "under way", "closed", False),
        (WriteTimeout("x"), "under way", "timeout", False),
        (AuthenticationFailed("x", reply="NO"), "under way", "authentication", True),
        (ServerRefused("x", reply="NO"), "under way", "refused", True),
        (ServerRefused("x", reply="NO", permanent=False), "under way", "refused", False),
        (RemoteProtocolError("x"), "under way", "protocol", True),
    ],
)
def test_phases_are_stages(error: NetworkError | ProtocolError, stage: str, reason: str, refused: bool) -> None:
    failure = told(error, stage="under way")
    assert (failure.stage, failure.reason, failure.refused) == (stage, reason, refused)
    assert (failure.host, failure.port) == ("imap.example.test", 993)
    assert (failure.environment, failure.traffic) == ("static", "auth")
    assert failure.message == "x."
    assert failure.__cause__ is error


@pytest.mark.parametrize(
    "error",
    [SourceUnavailable("x", reason="r"), TargetNotAllowed("x"), InvalidRequest("x"), LostOwnership("x"), KeyError("x")],
)
def test_what_is_ours_passes_unchanged(error: Exception) -> None:
    with pytest.raises(type(error)) as caught, Attempt(way(), "h", 1).reported():
        raise error
    assert caught.value is error


def test_the_source_is_that_of_the_dial() -> None:
    address = ip_address(SOURCE)
    error = ConnectTimeout("x")
    error.route = Route(SourceConfig("one", address, Via(Carrier.BIND, local=address)), ip_address("192.0.2.9"), "why")
    assert told(error).source == SOURCE
    assert told(ReadTimeout("x"), source=SOURCE).source == SOURCE
    assert told(NameNotFound("x")).source == ""


def spellings(password: str) -> list[str]:
    return [
        password,
        password.replace("\\", "\\\\").replace('"', '\\"'),
        base64.b64encode(password.encode()).decode(),
        base64.b64encode(f"\0ann@example.test\0{password}".encode()).decode(),
        base64.b64encode(f"\0ann\0{password}".encode()).decode().rstrip("="),
    ]


@pytest.mark.parametrize("spelt", spellings(PASSWORD))
def test_secrets_are_cut_out_of_what_a_server_repeats(spelt: str) -> None:
    for error in (
        AuthenticationFailed(f"refused: {spelt}", reply=f"NO you said {spelt}, and {spelt}"),
        ServerRefused(f"refused: {spelt}", reply=f"NO {spelt}"),
        RemoteProtocolError(f"the server sent {spelt!r}"),
        SaidGoodbye(f"bye {spelt}", reply=f"BYE {spelt}"),
        ConnectionLost(f"lost {spelt}"),
    ):
        failure = told(error)
        assert PASSWORD not in f"{failure.message} {failure.server_said} {failure.hint} {failure}"
        assert spelt not in f"{failure.message} {failure.server_said}"


def test_secrets_are_in_no_repr() -> None:
    assert "4711" not in repr(Attempt(way(), "h", 1, secrets=(PASSWORD,)))


def test_words_are_cleaned_and_cut_and_otherwise_whole() -> None:
    failure = told(ServerRefused("x\r\ny\x1b[31m", reply="  NO\tthis \x1b[2J\x07is why\u202e\r\n" + "w" * 1000))
    assert failure.server_said.startswith("NO this  [2J is why")
    assert len(failure.server_said) == SERVER_SAID_MAX
    assert (failure.message + failure.server_said).isprintable()
    assert len(told(RemoteProtocolError("w" * 10_000)).message) <= MESSAGE_MAX + 1
    assert told(AuthenticationFailed("x", reply="NO [AUTHENTICATIONFAILED] Ungültig.")).server_said == (
        "NO [AUTHENTICATIONFAILED] Ungültig."
    )


@pytest.mark.parametrize("written", [PASSWORD, base64.b64encode(f"\0ann\0{PASSWORD}".encode()).decode()])
def test_of_words_without_end_the_beginning_is_looked_at_and_no_secret_is_cut_in_two(written: str) -> None:
    for before in range(4096 - 2 * len(written), 4100):
        shown = cleaned(f"{'ab ' * 2000}"[:before] + f" {written} and more", [PASSWORD])
        assert written[:4] not in shown
        assert len(shown) > 3900
    assert cleaned(f"{PASSWORD} " * 10_000, [PASSWORD]).replace("***", "").strip() == ""
    assert len(cleaned("w" * 10_000, [PASSWORD])) > 3900


def test_the_last_words_before_a_goodbye_are_kept() -> None:
    failure = told(SaidGoodbye("bye", reply="BYE too many connections from your address"))
    assert failure.server_said == "BYE too many connections from your address"


AUTH, DYNAMIC_SYNC, STATIC_SYNC = way(), way(Traffic.SYNC, Kind.DYNAMIC), way(Traffic.SYNC)


@pytest.mark.parametrize(
    ("error", "stage", "on", "hint"),
    [
        (ConnectTimeout("x"), "connect", AUTH, "GET /v3/static-ips"),
        (ConnectionRefused("x"), "connect", AUTH, "server and port are right"),
        (ReadTimeout("x"), "greeting", AUTH, "GET /v3/static-ips"),
        (TLSFailed("x", reason="timeout"), "tls", AUTH, "GET /v3/static-ips"),
        (NameNotFound("x"), "connect", AUTH, "server's name"),
        (AuthenticationFailed("x", reply="NO"), "login", AUTH, "app password"),
        (TLSFailed("x", reason="not_tls"), "tls", AUTH, "993 for IMAP"),
        (TLSFailed("x", reason="certificate"), "tls", STATIC_SYNC, "renews the certificate"),
        (ConnectTimeout("x"), "connect", DYNAMIC_SYNC, "needs static IPs"),
        (ReadTimeout("x"), "greeting", way(Traffic.LIVE, Kind.DYNAMIC), "needs static IPs"),
        (ConnectTimeout("x"), "connect", STATIC_SYNC, ""),
        (AuthenticationFailed("x", reply="NO"), "login", DYNAMIC_SYNC, "Authenticate the account again"),
        (ReadTimeout("x"), "fetch", DYNAMIC_SYNC, ""),
    ],
)
def test_the_next_step_is_that_of_the_articles(error: MooringError, stage: str, on: Way, hint: str) -> None:
    said = told(error, stage=stage, way_=on).hint
    assert (hint in said) if hint else said == ""


def test_who_takes_too_long_is_told_where() -> None:
    attempt = Attempt(way(), "h", 993, stage="greeting", source=SOURCE)
    failure = attempt.timed_out(27)
    assert (failure.stage, failure.reason, failure.source) == ("greeting", "timeout", SOURCE)
    assert "27 s" in failure.message


def application_of(generation: Generation, state: StaticIps) -> Application:
    at = datetime(2026, 1, 1, tzinfo=UTC)
    return Application("a", "o", "A", generation, "eu", state, at, at)


@pytest.mark.parametrize(
    ("generation", "state", "environment"),
    [
        (Generation.V3, StaticIps.OFF, "v3-eu-static"),
        (Generation.V3, StaticIps.ON, "v3-eu-static"),
        (Generation.V2, StaticIps.OFF, "v2-eu-dynamic"),
        (Generation.V2, StaticIps.REQUESTED, "v2-eu-dynamic"),
        (Generation.V2, StaticIps.ON, "v2-eu-static"),
    ],
)
def test_how_an_authentication_leaves(generation: Generation, state: StaticIps, environment: str) -> None:
    found = way_to_authenticate(application_of(generation, state), "s")
    assert str(found.environment) == environment
    assert (found.traffic, found.caller) == (Traffic.AUTH, Caller("a", "s", ""))
    assert found.dial("h", 993, tls=True).environment == found.environment


@pytest.mark.parametrize("traffic", [Traffic.LIVE, Traffic.SYNC, Traffic.SEND])
def test_a_grants_own_traffic_leaves_by_its_placement(traffic: Traffic) -> None:
    grant = grant_of(parse_settings(LEAST)[1])
    found = way_of(grant, traffic)
    assert str(found.environment) == "v3-us-dynamic"
    assert found.caller == Caller("a", "s", "g")
