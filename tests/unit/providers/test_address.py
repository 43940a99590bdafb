"""Which e-mail addresses can be asked about, and what is said of the others."""

import pytest

from mooring.errors import InvalidRequest
from mooring.providers.address import parse_address


@pytest.mark.parametrize(
    ("text", "domain"),
    [
        ("ann@example.com", "example.com"),
        (" Ann+tag@Example.COM. ", "example.com"),
        ("ann@Bücher.example", "xn--bcher-kva.example"),
        ("ann@xn--bcher-kva.example", "xn--bcher-kva.example"),
        ('"a@b"@example.com', "example.com"),
        ("ann@mail_1.example.com", "mail_1.example.com"),
    ],
)
def test_the_domain_in_ascii(text: str, domain: str) -> None:
    assert parse_address(text) == (text.strip(), domain)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("ann", "needs a name, an @ and a domain"),
        ("ann@", "needs a name, an @ and a domain"),
        ("@example.com", "needs a name, an @ and a domain"),
        ("a nn@example.com", "needs a name, an @ and a domain"),
        ("ann@exa\nmple.com", "needs a name, an @ and a domain"),
        ("https://example.com/?a@example.com", "is a URL"),
        ("ann@localhost", "not one of the Internet"),
        ("ann@127.0.0.1", "not one of the Internet"),
        ("ann@[127.0.0.1]", "not one of the Internet"),
        ("ann@0x7f.1", "not one of the Internet"),
        ("ann@example..com", "not one of the Internet"),
        ("ann@-a.com", "not one of the Internet"),
        ("ann@a/b.com", "not one of the Internet"),
        ("ann@xn--a.com", "not a host name"),
        (f"ann@{'a' * 300}.com", "longer than a host name"),
        (f"ann@{'ü' * 300}.com", "not a host name"),
        (f"ann@{'a.' * 200}com", "longer than a host name"),
        (f"{'a' * 600}@example.com", "more than 512"),
    ],
)
def test_what_is_no_address_is_said_to_be_none(text: str, said: str) -> None:
    with pytest.raises(InvalidRequest, match=said):
        parse_address(text)
