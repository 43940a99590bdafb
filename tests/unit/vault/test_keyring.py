"""The key ring: its file, what it seals, and how it turns."""

import base64
import json
import stat
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mooring.errors import ConfigError
from mooring.vault import DataKey, Vault, VaultError, hash_api_key


class StoppedClock:
    """A clock that stands still."""

    def now(self) -> datetime:
        return datetime(2026, 11, 21, tzinfo=UTC)

    def monotonic(self) -> float:
        return 0.0


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "mooring.keys"


@pytest.fixture
def vault(path: Path) -> Vault:
    return Vault.load(path, create=True)


def test_the_first_start_makes_a_private_file_and_the_second_reads_it(path: Path) -> None:
    sealed = Vault.load(path, create=True, clock=StoppedClock()).seal(b"secret", context=b"c")
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert [file.name for file in path.parent.iterdir()] == [path.name]
    (key,) = json.loads(path.read_bytes())["keys"]
    assert (key["active"], key["created_at"]) == (True, "2026-11-21T00:00:00Z")
    assert Vault.load(path, create=True).open(sealed, context=b"c") == b"secret"


def test_many_first_starts_at_once_end_up_with_one_ring(path: Path) -> None:
    with ThreadPoolExecutor(16) as threads:
        vaults = list(threads.map(lambda _: Vault.load(path, create=True), range(16)))
    sealed = [vault.seal(b"x", context=b"") for vault in vaults]
    fresh = Vault.load(path)
    assert [fresh.open(value, context=b"") for value in sealed] == [b"x"] * 16
    assert len(json.loads(path.read_bytes())["keys"]) == 1


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o620, 0o660])
def test_a_file_that_others_can_read_is_refused(vault: Vault, path: Path, mode: int) -> None:
    path.chmod(mode)
    with pytest.raises(ConfigError, match="read by others"):
        Vault.load(path)


def test_no_file_is_an_error_unless_it_may_be_made(path: Path) -> None:
    with pytest.raises(ConfigError, match="cannot be read"):
        Vault.load(path)


@pytest.mark.parametrize(
    "damage",
    [
        lambda ring: "",
        lambda ring: "not json",
        lambda ring: json.dumps({"keys": []}),
        lambda ring: json.dumps({"keys": [{**ring["keys"][0], "active": False}]}),
        lambda ring: json.dumps({"keys": [ring["keys"][0], ring["keys"][0]]}),
        lambda ring: json.dumps({"keys": [{**ring["keys"][0], "id": "XYZ"}]}),
        lambda ring: json.dumps({"keys": [{**ring["keys"][0], "key": "!!"}]}),
        lambda ring: json.dumps({"keys": [{**ring["keys"][0], "key": base64.b64encode(b"short").decode()}]}),
    ],
)
def test_a_damaged_ring_is_refused_and_quotes_no_key(vault: Vault, path: Path, damage: object) -> None:
    ring = json.loads(path.read_bytes())
    assert callable(damage)
    path.write_text(str(damage(ring)))
    with pytest.raises(ConfigError, match="damaged") as caught:
        Vault.load(path)
    assert ring["keys"][0]["key"] not in f"{caught.value!r} {caught.value.__cause__!r}"


@given(plaintext=st.binary(max_size=300), context=st.binary(max_size=40))
def test_what_is_sealed_opens_in_its_context_only(
    tmp_path_factory: pytest.TempPathFactory, plaintext: bytes, context: bytes
) -> None:
    vault = Vault.load(tmp_path_factory.getbasetemp() / "shared.keys", create=True)
    sealed = vault.seal(plaintext, context=context)
    assert vault.open(sealed, context=context) == plaintext
    with pytest.raises(VaultError):
        vault.open(sealed, context=context + b"x")


def test_any_changed_or_missing_byte_is_noticed(vault: Vault) -> None:
    sealed = vault.seal(b"the secret", context=b"c")
    for at in range(len(sealed)):
        changed = bytearray(sealed)
        changed[at] ^= 1
        with pytest.raises(VaultError) as caught:
            vault.open(bytes(changed), context=b"c")
        assert "the secret" not in f"{caught.value!r} {caught.value.hint}"
        with pytest.raises(VaultError):
            vault.open(sealed[:at], context=b"c")


def test_the_same_secret_never_looks_the_same(vault: Vault) -> None:
    assert len({vault.seal(b"x", context=b"c") for _ in range(100)}) == 100


def test_rotation_keeps_the_old_and_seals_with_the_new(vault: Vault, path: Path) -> None:
    old = vault.seal(b"secret", context=b"c")
    assert not vault.needs_reseal(old)
    key_id = vault.rotate()
    assert vault.needs_reseal(old)
    new = vault.reseal(old, context=b"c")
    assert not vault.needs_reseal(new)
    assert new[1:9].hex() == key_id
    assert vault.open(old, context=b"c") == vault.open(new, context=b"c") == b"secret"
    assert Vault.load(path).open(old, context=b"c") == b"secret"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_another_process_learns_of_a_rotation_when_it_needs_to(vault: Vault, path: Path) -> None:
    other = Vault.load(path)
    vault.rotate()
    assert other.open(vault.seal(b"secret", context=b"c"), context=b"c") == b"secret"
    assert not other.needs_reseal(vault.seal(b"secret", context=b"c"))


def test_rotations_at_once_lose_no_key(vault: Vault, path: Path) -> None:
    with ThreadPoolExecutor(8) as threads:
        ids = set(threads.map(lambda _: Vault.load(path).rotate(), range(8)))
    keys = json.loads(path.read_bytes())["keys"]
    assert ids < {key["id"] for key in keys}
    assert len(keys) == 9
    assert sum(key["active"] for key in keys) == 1


def test_a_key_of_another_ring_is_named_and_nothing_else(vault: Vault, tmp_path: Path) -> None:
    sealed = Vault.load(tmp_path / "other.keys", create=True).seal(b"secret", context=b"c")
    with pytest.raises(VaultError, match=sealed[1:9].hex()):
        vault.open(sealed, context=b"c")


def test_nothing_of_a_key_shows(vault: Vault, path: Path) -> None:
    key, _ = DataKey.generate(vault, context=b"c")
    secret = json.loads(path.read_bytes())["keys"][0]["key"]
    assert secret not in repr(vault) + repr(key)


def test_an_api_key_is_hashed_with_sha_256() -> None:
    assert hash_api_key("abc").hex() == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
