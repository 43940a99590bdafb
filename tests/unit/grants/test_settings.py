"""Settings as people write them: understood, or refused by the name of the key and never by a secret."""

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mooring.config import Generation, Kind
from mooring.errors import InvalidRequest
from mooring.grants import (
    CalendarServer,
    Credentials,
    Grant,
    GrantStatus,
    Server,
    Settings,
    TlsMode,
    parse_settings,
    settings_as_api,
)
from mooring.grants.settings import as_request, mail_domain, subject_of

SECRET = "s3cret-of-ann"
SMTP_SECRET = "s3cret-of-smtp"
DAV_SECRET = "s3cret-of-dav"
FULL: dict[str, Any] = {
    "imap_host": "imap.example.test", "imap_port": 993, "imap_username": "ann@example.test", "imap_password": SECRET,
    "smtp_host": "smtp.example.test", "smtp_port": 587, "smtp_username": "ann", "smtp_password": SMTP_SECRET,
    "caldav_url": "https://dav.example.test/", "caldav_username": "anna", "caldav_password": DAV_SECRET,
}  # fmt: skip
LEAST = {k: FULL[k] for k in ("imap_host", "imap_username", "imap_password")}


def parsed(**changes: Any) -> tuple[str, Settings, Credentials]:
    return parse_settings({**LEAST, **changes})


def refusal(**changes: Any) -> InvalidRequest:
    with pytest.raises(InvalidRequest) as caught:
        parse_settings({**FULL, **changes})
    assert not any(secret in f"{caught.value!r} {caught.value} {caught.value.hint}" for secret in secrets_in(changes))
    return caught.value


def secrets_in(changes: dict[str, Any]) -> list[str]:
    return [str(v) for k, v in {**FULL, **changes}.items() if k.endswith("password") and v]


def test_the_least_there_can_be() -> None:
    email, settings, credentials = parsed()
    assert email == "ann@example.test"
    assert settings == Settings(imap=Server("imap.example.test", 993, "ann@example.test"))
    assert credentials == Credentials(imap_password=SECRET)


def test_all_there_can_be() -> None:
    _, settings, credentials = parse_settings(FULL)
    assert settings.smtp == Server("smtp.example.test", 587, "ann")
    assert settings.caldav == CalendarServer("https://dav.example.test/", "anna")
    assert credentials == Credentials(SECRET, SMTP_SECRET, DAV_SECRET)


def test_what_is_left_out_follows_the_mailbox() -> None:
    _, settings, credentials = parsed(smtp_host="smtp.example.test", caldav_host="dav.example.test")
    assert settings.smtp == Server("smtp.example.test", 465, "ann@example.test")
    assert settings.caldav == CalendarServer("https://dav.example.test:443/", "ann@example.test")
    assert credentials == Credentials(SECRET, SECRET, SECRET)


@pytest.mark.parametrize(
    ("changes", "email"),
    [
        ({"email": " Ann@Example.TEST "}, "ann@example.test"),
        ({"imap_username": "ANN@example.test"}, "ann@example.test"),
        ({"imap_username": "ann"}, "ann@imap.example.test"),
        ({"email": "Jörg@example.test"}, "jörg@example.test"),
        ({"email": '"a@b"@example.test'}, '"a@b"@example.test'),
    ],
)
def test_the_address(changes: dict[str, Any], email: str) -> None:
    assert parsed(**changes)[0] == email


@pytest.mark.parametrize(
    "email",
    [
        "ann",
        "ann@@example.test",
        "a@b@example.test",
        "@example.test",
        "ann@",
        "a b@example.test",
        "a\n@example.test",
        "\x00@a",
        5,
    ],
)
def test_what_is_no_address(email: Any) -> None:
    assert "settings.email" in refusal(email=email).message


@pytest.mark.parametrize(
    ("written", "host"),
    [
        ("IMAP.Example.TEST", "imap.example.test"),
        (" imap.example.test. ", "imap.example.test"),
        ("müller.example", "xn--mller-kva.example"),
        ("почта.рф", "xn--80a1acny.xn--p1ai"),
        ("例え.テスト", "xn--r8jz45g.xn--zckzah"),
        ("192.0.2.1", "192.0.2.1"),
        ("2001:DB8::1", "2001:db8::1"),
        ("[2001:db8:0::1]", "2001:db8::1"),
        ("localhost", "localhost"),
        ("a_b.example.test", "a_b.example.test"),
    ],
)
def test_hosts(written: str, host: str) -> None:
    assert parsed(imap_host=written)[1].imap.host == host


@pytest.mark.parametrize(
    ("written", "said"),
    [
        ("https://imap.example.test", "URL"),
        ("imap.example.test/inbox", "URL"),
        ("imaps://ann:pw@imap.example.test", "URL"),
        ("ann@example.test", "e-mail address"),
        ("imap.example.test:993", "imap_port"),
        ("[2001:db8::1]:993", "imap_port"),
        ("imap example.test", "not a host name"),
        ("imap\x07.example.test", "not a host name"),
        ("[imap.example.test]", "not a host name"),
        ("[", "not a host name"),
        (".", "not a host name"),
        ("é..test", "not a host name"),
        ("a" * 64 + ".test", "longer"),
        ("a." * 127 + "test", "longer"),
        ("a\x00b", "cannot be sent"),
        ("\ud800.test", "cannot be sent"),
        ("", "missing"),
        (None, "missing"),
        (5, "string"),
        (["imap"], "string"),
        ({}, "string"),
    ],
)
def test_what_is_no_host(written: Any, said: str) -> None:
    message = refusal(imap_host=written).message
    assert "settings.imap_host" in message
    assert said in message


@pytest.mark.parametrize(
    ("written", "port"), [(993, 993), ("143", 143), (1, 1), (65535, 65535), (None, 993), ("", 993)]
)
def test_ports(written: Any, port: int) -> None:
    assert parsed(imap_port=written)[1].imap.port == port


@pytest.mark.parametrize(
    "written", [0, -1, 65536, 10**30, 993.0, True, False, "imaps", "1_0", "9" * 5000, "-1", "99a", [], {}, float("nan")]
)
@pytest.mark.parametrize("key", ["imap_port", "smtp_port"])
def test_what_is_no_port(key: str, written: Any) -> None:
    assert f"settings.{key}" in refusal(**{key: written}).message


@pytest.mark.parametrize(
    ("written", "tls"), [("implicit", TlsMode.IMPLICIT), ("starttls", TlsMode.STARTTLS), (None, None)]
)
def test_tls_words(written: Any, tls: TlsMode | None) -> None:
    assert parsed(imap_tls=written)[1].imap.tls is tls


@pytest.mark.parametrize("written", ["none", "ssl", "STARTTLS ", "plain", False, 0, [], {}])
@pytest.mark.parametrize("key", ["imap_tls", "smtp_tls"])
def test_tls_is_never_left_out(key: str, written: Any) -> None:
    message = refusal(**{key: written}).message
    assert f"settings.{key}" in message
    assert "implicit, starttls" in message


@pytest.mark.parametrize(
    "url",
    [
        "http://dav.example.test/", "dav.example.test", "https://", "ftp://dav.example.test", "https://[::1", "https://:443",
        "https://h:99999/", "https://h:0/", "https://h:0x/", "https://xn--/", "https://xn--a/", "https://[v1.x]/", "https://h\x00/",
    ],
)  # fmt: skip
def test_what_is_no_calendar_url(url: str) -> None:
    assert "settings.caldav_url" in refusal(caldav_url=url).message


@pytest.mark.parametrize("userinfo", ["ann:in-the-url@", "in-the-url@", ":in-the-url@"])
def test_a_password_does_not_belong_into_a_url(userinfo: str) -> None:
    error = refusal(caldav_url=f"https://{userinfo}dav.example.test/")
    assert "in-the-url" not in f"{error!r} {error} {error.__cause__}"


def test_a_calendar_host_may_be_an_ipv6_address() -> None:
    found = parsed(caldav_host="2001:db8::5", caldav_port=8443)[1].caldav
    assert found == CalendarServer("https://[2001:db8::5]:8443/", "ann@example.test")


@pytest.mark.parametrize("key", ["imap_password", "smtp_password", "caldav_password", "imap_username", "smtp_username"])
@pytest.mark.parametrize("value", [17, ["x"], {"x": 1}, "x\x00y", "x\udc80y", True])
def test_refusals_name_the_key_and_no_secret(key: str, value: Any) -> None:
    assert f"settings.{key}" in refusal(**{key: value}).message


def test_an_address_fits_into_an_index() -> None:
    assert "settings.email" in refusal(email=f"{'a' * 3000}@example.test").message


@pytest.mark.parametrize("key", LEAST)
@pytest.mark.parametrize("value", ["", None])
def test_what_there_has_to_be(key: str, value: Any) -> None:
    assert refusal(**{key: value}).message == f"settings.{key} is missing."


values = st.one_of(
    st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=20), st.lists(st.text(), max_size=2)
)


@given(st.dictionaries(st.sampled_from([*FULL, "email", "imap_tls", "smtp_tls", "caldav_host", "caldav_port"]), values))
def test_anything_is_understood_or_refused(changes: dict[str, Any]) -> None:
    try:
        email, settings, _ = parse_settings({**LEAST, **changes})
    except InvalidRequest:
        return
    assert email == email.lower()
    assert 1 <= settings.imap.port <= 65535
    assert settings.imap.host.isascii()


def test_no_password_is_shown() -> None:
    _, settings, credentials = parse_settings({**FULL, "imap_tls": "implicit"})
    shown = settings_as_api(settings)
    assert shown == {k: v for k, v in FULL.items() if not k.endswith("password")}
    for text in (repr(credentials), str(credentials), repr(settings), str(shown)):
        assert "s3cret" not in text


@pytest.mark.parametrize(
    ("host", "domain"),
    [
        ("imap.example.co.uk", "example.co.uk"),
        ("Mail.Example.COM.", "example.com"),
        ("a.b.example.com", "example.com"),
        ("xn--80a1acny.xn--p1ai", "xn--80a1acny.xn--p1ai"),
        ("ann.github.io", "ann.github.io"),
        ("co.uk", "co.uk"),
        ("mail.corp", "mail.corp"),
        ("localhost", "localhost"),
        ("192.0.2.1", "192.0.2.1"),
        ("198.51.2.1", "198.51.2.1"),
        ("2001:0DB8::1", "2001:db8::1"),
        ("::ffff:192.0.2.1", "::ffff:c000:201"),
        ("0x7f.0.0.1", "0x7f.0.0.1"),
        ("1.2.0x3", "1.2.0x3"),
        ("127.1", "127.1"),
    ],
)
def test_the_registrable_domain(host: str, domain: str) -> None:
    assert mail_domain(host) == domain


@given(st.ip_addresses(), st.ip_addresses())
def test_two_addresses_are_never_one_domain(one: Any, other: Any) -> None:
    assert (mail_domain(str(one)) == mail_domain(str(other))) == (one == other)


def test_the_identity_is_application_address_and_domain() -> None:
    one = subject_of("app", "ann@example.test", "example.test", "ann@example.test")
    assert one == subject_of("app", "ANN@example.test", "example.test", "ann")
    assert len({one, subject_of("app2", "ann@example.test", "example.test", "ann"),
                subject_of("app", "bob@example.test", "example.test", "bob"),
                subject_of("app", "ann@example.test", "evil.test", "ann"),
                subject_of("app", "ann@example.test", "example.test", "bob@example.test")}) == 5  # fmt: skip


def grant_of(settings: Settings) -> Grant:
    at = datetime(2026, 1, 1, tzinfo=UTC)
    return Grant(
        id="g", application_id="a", generation=Generation.V3, region="us", feature_on=False, provider="imap",
        email="ann@example.test", mail_domain="example.test", subject="s", environment=Kind.DYNAMIC,
        status=GrantStatus.VALID, settings=settings, name="", state="", scope=(), user_agent="", ip="",
        sync_error=None, synced_at=None, created_at=at, updated_at=at,
    )  # fmt: skip


def changed(before: dict[str, Any], changes: dict[str, Any]) -> tuple[Settings, Credentials]:
    """What comes of a partial change of what was connected so."""
    email, settings, credentials = parse_settings(before)
    found_out = replace_tls(settings)
    raw = as_request(replace(grant_of(found_out), email=email), credentials, changes)
    return parse_settings({**raw, **changes})[1:]


def replace_tls(settings: Settings) -> Settings:
    """As a successful verification leaves them: it is known how TLS begins."""

    def known(server: Server | None) -> Server | None:
        return server and Server(server.host, server.port, server.username, TlsMode.IMPLICIT)

    imap = known(settings.imap)
    assert imap is not None
    return Settings(imap=imap, smtp=known(settings.smtp), caldav=settings.caldav)


def test_a_change_of_nothing_changes_nothing() -> None:
    _, settings, credentials = parse_settings(FULL)
    assert changed(FULL, {}) == (replace_tls(settings), credentials)


def test_a_new_password_is_that_of_all_that_shared_the_old_one() -> None:
    before = {
        **LEAST,
        "smtp_host": "smtp.example.test",
        "caldav_host": "dav.example.test",
        "caldav_password": DAV_SECRET,
    }
    assert changed(before, {"imap_password": "new"})[1] == Credentials("new", "new", DAV_SECRET)
    assert changed(FULL, {"imap_password": "new"})[1] == Credentials("new", SMTP_SECRET, DAV_SECRET)
    assert changed(before, {"smtp_password": "new"})[1] == Credentials(SECRET, "new", DAV_SECRET)


def test_on_another_port_or_host_it_is_found_out_anew_how_tls_begins() -> None:
    settings, _ = changed(FULL, {"imap_port": 143})
    assert settings.imap.tls is None
    assert settings.smtp is not None
    assert settings.smtp.tls is TlsMode.IMPLICIT
    settings, _ = changed(FULL, {"smtp_host": "other.example.test"})
    assert settings.smtp is not None
    assert settings.smtp == Server("other.example.test", 587, "ann")
    assert settings.imap.tls is TlsMode.IMPLICIT
    assert changed(FULL, {"imap_port": 143, "imap_tls": "starttls"})[0].imap.tls is TlsMode.STARTTLS


def test_a_server_can_be_taken_away_and_given() -> None:
    settings, credentials = changed(FULL, {"smtp_host": "", "caldav_url": None})
    assert (settings.smtp, settings.caldav) == (None, None)
    assert credentials.imap_password == SECRET
    settings, credentials = changed(LEAST, {"smtp_host": "smtp.example.test"})
    assert settings.smtp == Server("smtp.example.test", 465, "ann@example.test")
    assert credentials.smtp_password == SECRET


def test_other_calendars_are_those_that_are_named() -> None:
    found = changed(FULL, {"caldav_host": "other.example.test"})[0].caldav
    assert found == CalendarServer("https://other.example.test:443/", "anna")
