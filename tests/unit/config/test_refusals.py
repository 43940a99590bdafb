"""Every refusal of a configuration names the file, the line, what is wrong, and the remedy."""

from pathlib import Path

import pytest

from mooring.config import load_config
from mooring.errors import ConfigError

SOURCES = """\
[[egress.source]]
name = "a"
address = "203.0.113.10"
[[egress.source]]
name = "b"
address = "203.0.113.11"
[[egress.source]]
name = "c"
address = "203.0.113.10"
via = "http://gateway"
"""

#: What a file says, the line that the refusal names, what it says of it, and what it says to do.
REFUSED = {
    "no TOML": ("[server]\nlisten = 127.0.0.1:8025\n", 2, "this is not TOML", "stand in quotes"),
    "an unfinished text": ('[server]\nlisten = "', 2, "this is not TOML", "stand in quotes"),
    "an unknown section": ("\n[sever]\n", 2, "sever: there is no such key", "Did you mean 'server'?"),
    "an unknown key": ("[server]\n\nlisen = 1\n", 3, "server.lisen: there is no such key", "Did you mean 'listen'?"),
    "an unknown key, unlike any": ("[sync]\nxyz = 1\n", 2, "sync.xyz: there is no such key", "keys here are: window"),
    "an unknown key of a source": (
        '[[egress.source]]\nname = "a"\naddress = "192.0.2.1"\nwait = 1\n',
        4,
        "there is no such key",
        "'weight'",
    ),
    "an unknown key of a pool": (
        '[[egress.pool]]\ngeneration = "v3"\nkind = "static"\nsource = ["a"]\n',
        4,
        "no such key",
        "'sources'",
    ),
    "an unknown key of a table in a table": (
        '[policy]\nmigration_mode = { v4 = "direct" }\n',
        2,
        "there is no such key",
        "v2, v3",
    ),
    "a section that is none": ("server = 5\n", 1, "server: Expected `object`", "docs/configuration.md"),
    "a source that is no list": ('[egress.source]\nname = "a"\n', 1, "Expected `array`", "[[egress.source]]"),
    "a pool that is no list": ('[egress.pool]\nkind = "static"\n', 1, "Expected `array`", "[[egress.pool]]"),
    "a value of the wrong kind": ("[sync]\nwindow = 90\n", 2, "Expected `str`", "docs/configuration.md"),
    "a number that is too small": ("[policy]\nsubset = 0\n", 2, ">= 1", "docs/configuration.md"),
    "one connection for two parts": (
        "[policy]\nconnections_per_source_and_server = 1\n",
        2,
        ">= 2",
        "docs/configuration.md",
    ),
    "a weight that is too small": (SOURCES + "weight = 0\n", 11, ">= 1", "docs/configuration.md"),
    "a missing key": ('[[egress.source]]\nname = "a"\n', 1, "missing required field `address`", "docs"),
    "a policy of another name": ('[policy]\nstatic_ips = "nobody"\n', 2, "'nobody'", "one of: operator, self-serve"),
    "a mode of another name": ('[policy]\nmigration_mode = { v2 = "x" }\n', 2, "'x'", "one of: direct, staged"),
    "a generation of another name": ('[[egress.pool]]\ngeneration = "v4"\n', 2, "'v4'", "one of: v2, v3, webhook"),
    "a kind of another name": ('[[egress.pool]]\ngeneration = "v3"\nkind = "x"\n', 3, "'x'", "dynamic, static"),
    "listening nowhere": ('[server]\nlisten = "8025"\n', 2, "'8025' is not host:port", "127.0.0.1:8025"),
    "listening on no port": ('[server]\nlisten = "::1:mail"\n', 2, "is not host:port", "127.0.0.1:8025"),
    "listening past all ports": ('[server]\nlisten = "h:65536"\n', 2, "is not host:port", "127.0.0.1:8025"),
    "listening on a digit that is none": ('[server]\nlisten = "h:²"\n', 2, "is not host:port", "127.0.0.1:8025"),
    "a public URL that is none": ('[server]\npublic_url = "mail.example"\n', 2, "is not a URL", "https://"),
    "a database of another kind": ('[database]\nurl = "mysql://u:hush@h/d"\n', 2, "no database", "embedded:FOLDER"),
    "a database in no folder": ('[database]\nurl = "embedded:"\n', 2, "no database", "embedded:FOLDER"),
    "a duration without a unit": ('[sync]\nwindow = "90"\n', 2, "'90' is not a duration", "90d"),
    "a duration of nothing": ('[workers]\nlease = "0s"\n', 2, "between nothing and", "5s"),
    "a duration without end": ('[ledger]\nretention = "999999999d"\n', 2, "a hundred years", "90d"),
    "a delay that is none": ('[policy]\nstaged_delay = "soon"\n', 2, "'soon' is not a duration", "30m"),
    "a control target without a port": (
        '[diagnosis]\ncontrol_targets = ["up.example"]\n',
        2,
        "'up.example' is not host:port",
        "host.example:443",
    ),
    "a control target on no port": ('[diagnosis]\ncontrol_targets = ["h:0"]\n', 2, "is not host:port", ":443"),
    "no key file": ('[security]\nkey_file = ""\n', 2, "not the name of a file", "./mooring.keys"),
    "a key file among the data": (
        '[database]\nurl = "embedded:./data"\n[security]\nkey_file = "./data/keys"\n',
        4,
        "inside the data folder",
        "beside this file",
    ),
    "a network with host bits": (
        '[policy]\nallow_private_targets = ["10.0.0.1/8"]\n',
        2,
        "host bits set",
        "10.0.0.0/8",
    ),
    "a source without a name": ('[[egress.source]]\nname = " "\naddress = "192.0.2.1"\n', 2, "needs a name", "v3-us"),
    "two sources of one name": (
        SOURCES + '[[egress.source]]\nname = "b"\naddress = "192.0.2.1"\n',
        12,
        "'b' is there twice",
        "another name",
    ),
    "a source without an address": (
        '[[egress.source]]\nname = "a"\naddress = "gateway"\n',
        3,
        "this is not an IP address",
        "that the far side sees",
    ),
    "an ISPDB in clear": (
        '[detection]\nispdb = "http://ispdb.test/v1.1"\n',
        2,
        "'http://ispdb.test/v1.1' is not an https address",
        "https://ispdb.example/v1.1",
    ),
    "a region that is none": (
        SOURCES + '[[egress.pool]]\ngeneration = "v3"\nkind = "static"\nregion = "US-1"\n',
        14,
        "is not a region",
        "lower-case",
    ),
    "a webhook pool that changes": (
        SOURCES + '[[egress.pool]]\ngeneration = "webhook"\nkind = "dynamic"\nsources = ["a"]\n',
        13,
        "the webhook pool is static",
        'kind = "static"',
    ),
    "a pool without a source": (
        SOURCES + '[[egress.pool]]\ngeneration = "v3"\nkind = "static"\nsources = []\n',
        14,
        "v3-us-static names no source",
        "[[egress.source]]",
    ),
    "a pool that does not speak of sources": (
        SOURCES + '[[egress.pool]]\ngeneration = "v3"\nkind = "static"\n',
        11,
        "v3-us-static names no source",
        "answered with 503",
    ),
    "a pool with an unknown source": (
        SOURCES + '[[egress.pool]]\ngeneration = "v3"\nkind = "static"\nsources = ["a", "z"]\n',
        14,
        "unknown source 'z'",
        "Known: a, b, c",
    ),
    "a pool that is declared twice": (
        SOURCES + '[[egress.pool]]\ngeneration = "v3"\nkind = "static"\nsources = ["a"]\n'
        '[[egress.pool]]\ngeneration = "v3"\nkind = "static"\nsources = ["b"]\n',
        15,
        "v3-us-static is declared twice",
        "Join the two",
    ),
}


def refusal(folder: Path, text: str | bytes, environ: dict[str, str] | None = None) -> ConfigError:
    """What a configuration is refused with."""
    path = folder / "mooring.toml"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    with pytest.raises(ConfigError) as caught:
        load_config(path, environ or {})
    return caught.value


@pytest.mark.parametrize("case", REFUSED)
def test_a_refusal_names_file_line_and_remedy(case: str, tmp_path: Path) -> None:
    text, line, message, remedy = REFUSED[case]
    error = refusal(tmp_path, text)
    assert error.message.startswith(f"{tmp_path / 'mooring.toml'}, line {line}: ")
    assert message in error.message
    assert remedy in error.hint


@pytest.mark.parametrize(
    "address", ["0.0.0.0", "::", "224.0.0.1", "ff02::1", "::ffff:203.0.113.9", "fe80::1%eth0", "1.2.3", "127.1", ""]
)
@pytest.mark.parametrize("place", ["address", "via"])
def test_a_source_leaves_from_an_address_of_one_host_in_one_spelling(place: str, address: str, tmp_path: Path) -> None:
    values = {"address": "203.0.113.10", "via": "bind"}
    values[place] = f"bind:{address}" if place == "via" else address
    text = "".join(f'{key} = "{value}"\n' for key, value in {"name": "a", **values}.items())
    error = refusal(tmp_path, f"[[egress.source]]\n{text}")
    assert f"line {4 if place == 'via' else 3}: egress.source.{place}: " in error.message


def test_what_is_bound_and_what_is_published_are_of_one_family(tmp_path: Path) -> None:
    error = refusal(tmp_path, '[[egress.source]]\nname = "a"\naddress = "203.0.113.1"\nvia = "bind:2001:db8::1"\n')
    assert "not of the same family" in error.message


def test_a_file_that_is_not_there_says_how_to_get_one(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"there is no .*mooring\.toml") as caught:
        load_config(tmp_path / "mooring.toml", {})
    assert "mooring egress init" in caught.value.hint


def test_a_file_of_other_bytes_is_refused_at_its_line(tmp_path: Path) -> None:
    error = refusal(tmp_path, b'[server]\n# caf\xe9\nlisten = "h:1"\n')
    assert "line 2: this is not UTF-8" in error.message
    assert "UTF-8" in error.hint


def pools(*declared: tuple[str, str, str, str]) -> str:
    """A configuration of pools: generation, region, kind and source."""
    return SOURCES + "".join(
        f'[[egress.pool]]\ngeneration = "{g}"\nregion = "{r}"\nkind = "{k}"\nsources = ["{s}"]\n'
        for g, r, k, s in declared
    )


#: Two environments that share nothing.
APART = [
    (("v3", "us", "static"), ("v2", "us", "static")),
    (("v3", "us", "static"), ("v3", "us", "dynamic")),
    (("v3", "us", "static"), ("v3", "eu", "static")),
    (("v3", "us", "dynamic"), ("v2", "us", "dynamic")),
    (("v3", "us", "static"), ("webhook", "us", "static")),
    (("v3", "us", "dynamic"), ("webhook", "eu", "static")),
    (("webhook", "us", "static"), ("webhook", "eu", "static")),
]


@pytest.mark.parametrize("second", ["a", "c"], ids=["the same source", "another source with the same address"])
@pytest.mark.parametrize(("one", "other"), APART, ids=lambda environment: "-".join(environment))
def test_an_address_is_of_one_environment_only(
    one: tuple[str, str, str], other: tuple[str, str, str], second: str, tmp_path: Path
) -> None:
    error = refusal(tmp_path, pools((*one, "a"), (*other, second)))
    assert f"203.0.113.10 is in {'-'.join(one)} and in {'-'.join(other)}" in error.message
    assert ", line 20: " in error.message
    assert "one environment only" in error.hint


#: Two sources that are published differently and bind the same address, told in its two spellings.
MAPPED = """\
[[egress.source]]
name = "a"
address = "203.0.113.10"
via = "bind:10.0.0.5"
[[egress.source]]
name = "b"
address = "203.0.113.11"
via = "bind:10.0.0.5"
[[egress.source]]
name = "c"
address = "10.0.0.5"
"""


def mapped(one: tuple[str, str, str], other: tuple[str, str, str], second: str) -> str:
    """A configuration of two pools: the first leaves by ``a``."""
    return MAPPED + pools((*one, "a"), (*other, second)).removeprefix(SOURCES)


@pytest.mark.parametrize("second", ["b", "c"], ids=["bind:ADDRESS twice", "bind:ADDRESS and bind"])
@pytest.mark.parametrize(("one", "other"), APART, ids=lambda environment: "-".join(environment))
def test_two_environments_do_not_bind_one_address(
    one: tuple[str, str, str], other: tuple[str, str, str], second: str, tmp_path: Path
) -> None:
    error = refusal(tmp_path, mapped(one, other, second))
    assert f"10.0.0.5 is bound in {'-'.join(one)} and in {'-'.join(other)}" in error.message
    assert ", line 21: " in error.message
    assert "a local address of its own" in error.hint


def test_webhooks_may_bind_what_the_dynamic_pool_binds(tmp_path: Path) -> None:
    path = tmp_path / "mooring.toml"
    path.write_text(mapped(("v3", "us", "dynamic"), ("webhook", "us", "static"), "b"))
    assert len(load_config(path, {}).egress.pools) == 2


@pytest.mark.parametrize("generation", ["v2", "v3"])
def test_webhooks_may_share_with_the_dynamic_pool_of_their_region(generation: str, tmp_path: Path) -> None:
    path = tmp_path / "mooring.toml"
    path.write_text(pools((generation, "us", "dynamic", "a"), ("webhook", "us", "static", "a")))
    assert len(load_config(path, {}).egress.pools) == 2


@pytest.mark.parametrize(
    ("variable", "value", "message"),
    [
        ("MOORING_SERVER_LISTEN", "nowhere", "(server.listen): 'nowhere' is not host:port"),
        ("MOORING_SYNC_WINDOW", "90", "(sync.window): '90' is not a duration"),
        ("MOORING_POLICY_SUBSET", "two", "(policy.subset): Expected `int`"),
        ("MOORING_POLICY_STATIC_IPS", "x", "(policy.static_ips): Invalid enum value 'x'"),
        ("MOORING_POLICY_ALLOW_PRIVATE_TARGETS", "10.0.0.0/8, lan", "'lan' does not appear"),
    ],
)
def test_a_refused_variable_is_named_instead_of_a_line(variable: str, value: str, message: str, tmp_path: Path) -> None:
    error = refusal(tmp_path, "", {variable: value})
    assert error.message.startswith(f"the environment variable {variable} ")
    assert message in error.message
    assert error.hint


def test_a_variable_over_a_section_that_is_none_is_refused(tmp_path: Path) -> None:
    error = refusal(tmp_path, "server = 5\n", {"MOORING_SERVER_LISTEN": "127.0.0.1:1"})
    assert "line 1: server: this is a table" in error.message
    assert "[server]" in error.hint


#: Ways to write a password so that it does not end up where it should.
_TORN = ["hush/word", "hush#word", "hush?word", "hush:word/", "hush\uff20word", "[hush]word", "1234#hush", "99/hush"]


@pytest.mark.parametrize("password", _TORN)
@pytest.mark.parametrize("scheme", ["socks5", "http", "https", "bind", ""])
def test_a_proxys_password_is_never_repeated(scheme: str, password: str, tmp_path: Path) -> None:
    via = f"{scheme}://mooring:{password}@gateway:1080"
    error = refusal(tmp_path, f'[[egress.source]]\nname = "a"\naddress = "203.0.113.1"\nvia = "{via}"\n')
    assert ", line 4: egress.source.via: " in error.message
    told = f"{error!r} {error.message} {error.hint} {error.__cause__!r}"
    assert "hush" not in told
    assert "word@" not in told


def test_a_login_that_socks_cannot_carry_is_refused(tmp_path: Path) -> None:
    via = f"socks5://mooring:{'h' * 256}@gateway"
    error = refusal(tmp_path, f'[[egress.source]]\nname = "a"\naddress = "203.0.113.1"\nvia = "{via}"\n')
    assert "longer than 255 bytes" in error.message
    assert "hhh" not in error.message


@pytest.mark.parametrize("url", ["mysql://u:hush@h/d", "hush", "sqlite:hush"])
def test_a_databases_password_is_never_repeated(url: str, tmp_path: Path) -> None:
    error = refusal(tmp_path, f'[database]\nurl = "{url}"\n')
    assert "hush" not in f"{error!r} {error.message} {error.hint} {error.__cause__!r}"


@pytest.mark.parametrize("variable", ["MOORING_SERVER_LISTN", "MOORING_EGRESS_SOURCE", "MOORING_POLICY_MIGRATION_MODE"])
def test_a_variable_that_stands_for_no_key_is_refused(tmp_path: Path, variable: str) -> None:
    assert variable in refusal(tmp_path, "", {variable: "x"}).message
    (tmp_path / "mooring.toml").write_text("")
    load_config(tmp_path / "mooring.toml", {"MOORING_ELSEWHERE": "x", "SERVER_LISTN": "x"})
