"""What a configuration means: defaults, the environment over it, durations, secrets, the starter, lines."""

import contextlib
from datetime import timedelta
from ipaddress import ip_address, ip_network
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mooring.config import (
    Carrier,
    Config,
    ControlTarget,
    DiagnosisConfig,
    Host,
    Kind,
    MigrationMode,
    StaticIpsPolicy,
    load_config,
    starter_toml,
)
from mooring.config.durations import parse_duration
from mooring.config.lines import line_of
from mooring.errors import ConfigError


def load(folder: Path, text: str, environ: dict[str, str] | None = None) -> Config:
    path = folder / "mooring.toml"
    path.write_text(text)
    return load_config(path, environ or {})


def test_an_empty_file_is_the_documented_defaults(tmp_path: Path) -> None:
    config = load(tmp_path, "")
    assert (config.server.host, config.server.port) == ("127.0.0.1", 8025)
    assert config.server.public_url == "http://127.0.0.1:8025"
    assert config.server.rate_limits
    assert config.database.embedded == tmp_path / "data"
    assert config.objects == (tmp_path / "data/objects").as_uri()
    assert config.key_file == tmp_path / "mooring.keys"
    assert (config.window, config.lease, config.retention) == (
        timedelta(days=90),
        timedelta(seconds=5),
        timedelta(days=90),
    )
    assert config.policy.static_ips is StaticIpsPolicy.OPERATOR
    assert config.policy.staged_delay == timedelta(minutes=30)
    assert (config.policy.migration_mode_v2, config.policy.migration_mode_v3) == (
        MigrationMode.STAGED,
        MigrationMode.DIRECT,
    )
    assert (config.policy.subset, config.policy.connections_per_source_and_server) == (2, 20)
    assert config.policy.allow_private_targets == ()
    assert config.egress.pools == ()
    assert config.diagnosis == DiagnosisConfig((), foreign_pools=True)


def test_paths_are_relative_to_the_file_wherever_one_stands(tmp_path: Path) -> None:
    config = load(
        tmp_path,
        '[database]\nurl = "embedded:./here"\n[objects]\nurl = "file:./bodies%20old"\n[security]\nkey_file = "k"\n',
    )
    assert config.database.embedded == tmp_path / "here"
    assert config.objects == (tmp_path / "bodies old").as_uri()
    assert config.key_file == tmp_path / "k"


def test_every_single_valued_key_can_come_from_the_environment(tmp_path: Path) -> None:
    environ = {
        "MOORING_SERVER_LISTEN": "[::1]:9",
        "MOORING_SERVER_PUBLIC_URL": "https://mooring.example/",
        "MOORING_SERVER_RATE_LIMITS": "False",
        "MOORING_DATABASE_URL": "postgresql://u:hush@h/d",
        "MOORING_OBJECTS_URL": "s3://bucket/prefix",
        "MOORING_POLICY_STATIC_IPS": "self-serve",
        "MOORING_POLICY_STAGED_DELAY": "1h",
        "MOORING_POLICY_SUBSET": "3",
        "MOORING_POLICY_CONNECTIONS_PER_SOURCE_AND_SERVER": "7",
        "MOORING_POLICY_ALLOW_PRIVATE_TARGETS": "10.0.0.0/8, fd00::/8,",
        "MOORING_SECURITY_KEY_FILE": "/etc/mooring.keys",
        "MOORING_SYNC_WINDOW": "30d",
        "MOORING_WORKERS_LEASE": "1.5s",
        "MOORING_LEDGER_RETENTION": "12h",
        "MOORING_DIAGNOSIS_CONTROL_TARGETS": "up.example:443, [2001:db8::1]:25",
        "MOORING_DIAGNOSIS_FOREIGN_POOLS": "false",
        "UNRELATED": "x",
    }
    config = load(tmp_path, '[server]\nlisten = "127.0.0.1:1"\n[policy]\nsubset = 9\n', environ)
    assert (config.server.host, config.server.port) == ("::1", 9)
    assert config.server.public_url == "https://mooring.example"
    assert not config.server.rate_limits
    assert config.database.url == "postgresql://u:hush@h/d"
    assert config.objects == "s3://bucket/prefix"
    assert config.policy.static_ips is StaticIpsPolicy.SELF_SERVE
    assert config.policy.staged_delay == timedelta(hours=1)
    assert (config.policy.subset, config.policy.connections_per_source_and_server) == (3, 7)
    assert config.policy.allow_private_targets == (ip_network("10.0.0.0/8"), ip_network("fd00::/8"))
    assert config.key_file == Path("/etc/mooring.keys")
    assert (config.window, config.lease) == (timedelta(days=30), timedelta(seconds=1.5))
    assert config.retention == timedelta(hours=12)
    assert config.diagnosis == DiagnosisConfig(
        (ControlTarget("up.example", 443), ControlTarget("2001:db8::1", 25)), foreign_pools=False
    )
    assert str(config.diagnosis.control_targets[1]) == "[2001:db8::1]:25"


def test_a_switch_is_set_by_the_file_and_again_by_the_environment(tmp_path: Path) -> None:
    text = "[server]\nrate_limits = false\n"
    assert not load(tmp_path, text).server.rate_limits
    assert load(tmp_path, text, {"MOORING_SERVER_RATE_LIMITS": "true"}).server.rate_limits


@pytest.mark.parametrize("word", ["", "0", "1", "no", "off", "truee"])
def test_a_switch_is_true_or_false_and_nothing_else(tmp_path: Path, word: str) -> None:
    with pytest.raises(ConfigError, match="MOORING_SERVER_RATE_LIMITS"):
        load(tmp_path, "", {"MOORING_SERVER_RATE_LIMITS": word})


def test_a_key_of_digits_in_a_text_stays_a_text(tmp_path: Path) -> None:
    assert load(tmp_path, "", {"MOORING_SECURITY_KEY_FILE": "7"}).key_file == tmp_path / "7"


@pytest.mark.parametrize(
    ("via", "carrier", "shown"),
    [
        ("bind", Carrier.BIND, "bind:203.0.113.1"),
        ("bind:10.0.0.5", Carrier.BIND, "bind:10.0.0.5"),
        ("socks5://gw", Carrier.SOCKS5, "socks5://gw:1080"),
        ("socks5://gw:99", Carrier.SOCKS5, "socks5://gw:99"),
        ("http://[2001:db8::1]", Carrier.HTTP, "http://[2001:db8::1]:3128"),
        ("http://us%3Aer:hu%2Fsh@gw:8080/", Carrier.HTTP, "http://gw:8080"),
    ],
)
def test_carriers_are_read_and_shown_without_their_passwords(
    via: str, carrier: Carrier, shown: str, tmp_path: Path
) -> None:
    config = load(tmp_path, f'[[egress.source]]\nname = "a"\naddress = "203.0.113.1"\nvia = "{via}"\n')
    (source,) = config.egress.sources
    assert source.via.carrier is carrier
    assert str(source.via) == shown


def test_a_proxys_login_is_read_whole_and_never_shown(tmp_path: Path) -> None:
    config = load(
        tmp_path,
        '[database]\nurl = "postgresql://u:hush-db@h/d"\n'
        '[[egress.source]]\nname = "a"\naddress = "203.0.113.1"\nvia = "socks5://us%3Aer:hush%2F%23%40@gw"\n',
    )
    (source,) = config.egress.sources
    assert (source.via.username, source.via.password) == ("us:er", "hush/#@")
    assert "hush" not in f"{config!r} {config} {source!r} {source.via}"


def test_a_pool_names_a_source_once(tmp_path: Path) -> None:
    text = '[[egress.source]]\nname = "a"\naddress = "203.0.113.1"\nweight = 3\n'
    text += '[[egress.pool]]\ngeneration = "v3"\nkind = "static"\nsources = ["a", "a"]\n'
    (pool,) = load(tmp_path, text).egress.pools
    assert str(pool.environment) == "v3-us-static"
    assert [(s.name, s.weight) for s in pool.sources] == [("a", 3)]


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("5s", 5),
        ("250ms", 0.25),
        ("30m", 1800),
        ("12h", 43200),
        ("90d", 7776000),
        (" 1.5 h ", 5400),
        ("36525d", 3.15576e9),
    ],
)
def test_durations_are_a_number_and_a_unit(text: str, seconds: float) -> None:
    assert parse_duration(text) == timedelta(seconds=seconds)


@pytest.mark.parametrize(
    "text", ["", "5", "s", "-5s", "5 weeks", "0d", "0.0s", "1e3s", "٥s", "36526d", "9" * 400 + "d"]
)
def test_what_is_no_duration_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="is not a duration"):
        parse_duration(text)


@given(st.text(max_size=20))
def test_any_text_is_a_duration_or_refused(text: str) -> None:
    with contextlib.suppress(ValueError):
        assert parse_duration(text) > timedelta(0)


@pytest.mark.parametrize(
    ("addresses", "expected"),
    [
        (["45.99.0.1"], {Kind.STATIC: "45.99.0.1"}),
        (["10.0.0.5"], {Kind.STATIC: "10.0.0.5"}),
        (["45.99.0.1", "45.99.0.2", "45.99.0.3"], {Kind.STATIC: "45.99.0.1", Kind.DYNAMIC: "45.99.0.2"}),
        (["45.99.0.1", "2a01:4f8::1"], {Kind.STATIC: "45.99.0.1", Kind.DYNAMIC: "2a01:4f8::1"}),
        (["45.99.0.1", "2a01:4f8::1", "45.99.0.2"], {Kind.STATIC: "45.99.0.1", Kind.DYNAMIC: "45.99.0.2"}),
    ],
)
def test_a_starter_is_a_configuration_of_the_hosts_addresses(
    addresses: list[str], expected: dict[Kind, str], tmp_path: Path
) -> None:
    text = starter_toml(Host(tuple(ip_address(a) for a in addresses)))
    config = load(tmp_path, text)
    found = {str(p.environment): [str(s.address) for s in p.sources] for p in config.egress.pools}
    pools = {f"v3-us-{kind}": [address] for kind, address in expected.items()}
    if Kind.DYNAMIC in expected:
        pools["webhook-us-static"] = pools["v3-us-dynamic"]
    assert found == pools
    assert ("is private" in text) is any(a.startswith("10.") for a in expected.values())
    assert ("no dynamic pool" in text) is (Kind.DYNAMIC not in expected)


def test_there_is_no_starter_for_a_host_without_an_address() -> None:
    with pytest.raises(ValueError, match="no address"):
        starter_toml(Host(()))


@pytest.mark.parametrize(
    ("path", "line"),
    [
        (("server", "listen"), 2),
        (("server", "absent"), 1),
        (("egress", "source", 0, "via"), 6),
        (("egress", "source", 1), 7),
        (("egress", "source", 1, "name"), 8),
        (("policy", "migration_mode", "v2"), 11),
        (("nowhere",), 1),
    ],
)
def test_a_place_has_its_line(path: tuple[str | int, ...], line: int) -> None:
    text = """[server]
listen = "h:1"

[[egress.source]] # the first
name = "a"
via = "bind"
[[ egress.source ]]
  "name" = "b"
# [policy]
[policy]
migration_mode.v2 = "direct"
"""
    assert line_of(text, path) == line


@given(st.text(max_size=200), st.lists(st.one_of(st.text(max_size=5), st.integers(0, 3)), max_size=4))
def test_every_place_of_every_text_has_a_line_of_it(text: str, path: list[str | int]) -> None:
    assert 1 <= line_of(text, tuple(path)) <= max(1, len(text.splitlines()))


def test_an_ispdb_is_somebodys_choice(tmp_path: Path) -> None:
    path = tmp_path / "mooring.toml"
    path.write_text("")
    assert load_config(path, {}).ispdb == ""
    assert load_config(path, {"MOORING_DETECTION_ISPDB": "https://ispdb.test/v1.1/"}).ispdb == "https://ispdb.test/v1.1"
