"""An e-mail address, as far as detection needs it: its domain, in the spelling that names are looked up by."""

import re

import idna

from mooring.errors import InvalidRequest

MAX_EMAIL = 512
"""Characters, as of an account's address."""
MAX_DOMAIN = 253
MAX_LABEL = 63
"""Characters (RFC 1035 §2.3.4)."""

_LABEL = re.compile(r"[a-z0-9_]([a-z0-9_-]*[a-z0-9_])?")
_DIGITS = re.compile(r"\d+|0x[0-9a-f]*")
"""A last label that makes resolvers take the whole for an address (WHATWG URL, "ends in a number")."""


def parse_address(text: str) -> tuple[str, str]:
    """The address as it is shown, and its domain in ASCII.

    Raises:
        InvalidRequest: it is no e-mail address of a domain.
    """
    email = text.strip()
    if "://" in email:
        raise InvalidRequest("email is a URL; write an e-mail address, such as ann@example.com.")
    if len(email) > MAX_EMAIL:
        raise InvalidRequest(f"email has more than {MAX_EMAIL} characters.")
    local, at, domain = email.rpartition("@")
    if not at or not local or not domain or any(c.isspace() or not c.isprintable() for c in email):
        raise InvalidRequest("email is not an e-mail address: it needs a name, an @ and a domain.")
    return email, domain_of(domain)


def domain_of(text: str) -> str:
    """A domain in small ASCII letters.

    Raises:
        InvalidRequest.
    """
    domain = text.rstrip(".").lower()
    if not domain.isascii() or "xn--" in domain:
        try:
            domain = idna.encode(domain, uts46=True).decode()
        except (idna.IDNAError, UnicodeError) as e:
            raise InvalidRequest(f"The domain of the address is not a host name: {_cut(str(e))}.") from e
    labels = domain.split(".")
    if len(domain) > MAX_DOMAIN or any(len(label) > MAX_LABEL for label in labels):
        raise InvalidRequest("The domain of the address is longer than a host name can be.")
    if len(labels) < 2 or _DIGITS.fullmatch(labels[-1]) or not all(_LABEL.fullmatch(label) for label in labels):
        raise InvalidRequest("The domain of the address is not one of the Internet, such as example.com.")
    return domain


def _cut(text: str) -> str:
    return text[:100]
