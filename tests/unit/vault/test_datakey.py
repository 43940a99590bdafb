"""The key of one grant's data."""

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import zstandard
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from hypothesis import given
from hypothesis import strategies as st

from mooring.large import WINDOW
from mooring.vault import DataKey, Vault, VaultError

KEY = DataKey(bytes(32))


@pytest.fixture
def vault(tmp_path: Path) -> Vault:
    return Vault.load(tmp_path / "mooring.keys", create=True)


def test_a_key_survives_being_sealed_for_its_grant_only(vault: Vault) -> None:
    key, sealed = DataKey.generate(vault, context=b"grant:1:key")
    packed = key.pack(b"body", b"m1")
    assert DataKey.unseal(vault, sealed, context=b"grant:1:key").unpack(packed, b"m1") == b"body"
    with pytest.raises(VaultError):
        DataKey.unseal(vault, sealed, context=b"grant:2:key")
    with pytest.raises(VaultError):
        DataKey.generate(vault, context=b"grant:2:key")[0].unpack(packed, b"m1")


@given(data=st.binary(max_size=2000), aad=st.binary(max_size=40))
def test_what_goes_in_comes_out(data: bytes, aad: bytes) -> None:
    assert KEY.decrypt(KEY.encrypt(data, aad), aad) == data
    assert KEY.unpack(KEY.pack(data, aad), aad) == data
    with pytest.raises(VaultError):
        KEY.unpack(KEY.pack(data, aad), aad + b"x")


@pytest.mark.parametrize("size", [WINDOW - 1, WINDOW, WINDOW + 1, 3 * WINDOW])
def test_megabytes_are_encrypted_in_windows_to_the_very_same(size: int) -> None:
    data = (b"0123456789abcdef" * (size // 16 + 1))[:size]
    sealed = KEY.encrypt(data, b"m1")
    assert AESGCM(bytes(32)).decrypt(sealed[1:13], sealed[13:], sealed[:1] + b"m1") == data
    whole = sealed[:13] + AESGCM(bytes(32)).encrypt(sealed[1:13], data, sealed[:1] + b"m1")
    assert whole == sealed
    assert KEY.decrypt(sealed, b"m1") == data
    for at in (0, 1, 13, size // 2, size + 13, len(sealed) - 1):
        with pytest.raises(VaultError):
            KEY.decrypt(sealed[:at] + bytes([sealed[at] ^ 1]) + sealed[at + 1 :], b"m1")
    with pytest.raises(VaultError):
        KEY.decrypt(sealed, b"m2")


@given(data=st.binary(max_size=200))
def test_any_bytes_are_refused_without_a_crash(data: bytes) -> None:
    for read in (KEY.decrypt, KEY.unpack):
        with pytest.raises(VaultError):
            read(data, b"")


def test_any_changed_byte_is_noticed() -> None:
    packed = KEY.pack(b"body" * 10, b"m1")
    for at in range(len(packed)):
        changed = bytearray(packed)
        changed[at] ^= 1
        with pytest.raises(VaultError):
            KEY.unpack(bytes(changed), b"m1")


def test_encrypted_and_packed_are_not_taken_for_each_other() -> None:
    with pytest.raises(VaultError):
        KEY.decrypt(KEY.pack(b"x", b""), b"")
    with pytest.raises(VaultError):
        KEY.unpack(KEY.encrypt(b"x", b""), b"")


def test_packing_compresses() -> None:
    assert len(KEY.pack(b"Dear all, " * 1000, b"")) < 200


def test_more_than_is_allowed_is_not_unpacked() -> None:
    packed = KEY.pack(bytes(1_000_000), b"")
    assert len(KEY.unpack(packed, b"", max_output_size=1_000_000)) == 1_000_000
    with pytest.raises(VaultError, match="1000000"):
        KEY.unpack(packed, b"", max_output_size=999_999)


def test_a_frame_that_hides_its_size_is_bounded_too() -> None:
    stream = zstandard.ZstdCompressor(write_content_size=False).compressobj()
    frame = stream.compress(bytes(1_000_000)) + stream.flush()
    packed = KEY._encrypt(b"\x02", frame, b"")
    assert len(KEY.unpack(packed, b"", max_output_size=1_000_000)) == 1_000_000
    with pytest.raises(VaultError):
        KEY.unpack(packed, b"", max_output_size=1000)


def test_many_threads_share_a_key() -> None:
    bodies = [bytes([n]) * (n * 997) for n in range(200)]
    with ThreadPoolExecutor(8) as threads:
        packed = list(threads.map(lambda body: KEY.pack(body, b"m"), bodies))
        assert list(threads.map(lambda data: KEY.unpack(data, b"m"), packed)) == bodies
