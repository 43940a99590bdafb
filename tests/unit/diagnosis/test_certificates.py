"""What is read of a certificate, and that no bytes of a stranger's break it."""

import hashlib
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from hypothesis import given
from hypothesis import strategies as st

from mooring.diagnosis.probes.certificates import read_certificate
from tests.lab.certificates import Authority


@pytest.fixture(scope="module")
def shown(tmp_path_factory: pytest.TempPathFactory) -> x509.Certificate:
    folder: Path = tmp_path_factory.mktemp("authority")
    made = Authority(folder).good(["mail.test", "*.mail.test", "192.0.2.1"])
    return x509.load_pem_x509_certificate(made.chain.read_bytes())


def test_names_issuer_end_and_key(shown: x509.Certificate) -> None:
    read = read_certificate(shown.public_bytes(Encoding.DER), "certificate has expired")
    assert read is not None
    assert read.names == ("mail.test", "*.mail.test", "192.0.2.1")
    assert read.issuer == "CN=Mooring laboratory CA"
    assert (read.not_after, read.problem) == (shown.not_valid_after_utc, "certificate has expired")
    key = shown.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    assert read.spki == hashlib.sha256(key).hexdigest()


@pytest.mark.parametrize("nothing", [None, b""])
def test_none_is_none(nothing: bytes | None) -> None:
    assert read_certificate(nothing) is None


@given(st.binary(max_size=200))
def test_no_bytes_break_it(data: bytes) -> None:
    assert read_certificate(data) is None


@given(st.data())
def test_no_change_of_a_byte_breaks_it(shown: x509.Certificate, data: st.DataObject) -> None:
    der = bytearray(shown.public_bytes(Encoding.DER))
    der[data.draw(st.integers(0, len(der) - 1))] = data.draw(st.integers(0, 255))
    read_certificate(bytes(der))
