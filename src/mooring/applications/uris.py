"""Which URIs an application may name: rules alone."""

from urllib.parse import urlsplit

from mooring.errors import InvalidRequest

MAX_URI = 2000
"""Characters; longer ones do not pass through every browser and proxy."""

_DANGEROUS = frozenset({"about", "blob", "data", "file", "javascript", "vbscript"})
"""Schemes that a browser acts upon itself, instead of leading anywhere."""


def require_redirect_uri(uri: str) -> None:
    """See to it that somebody who has authenticated can be led there (RFC 6749 §3.1.2): absolute, and no fragment.

    Apps have schemes of their own, so any scheme is taken that leads out of the browser.

    Raises:
        InvalidRequest.
    """
    scheme, host = _parts(uri)
    if not scheme or scheme in _DANGEROUS or "#" in uri or not (host or "." in scheme):
        raise InvalidRequest(
            f"{uri[:100]!r} is no redirect URI.",
            hint="Write an absolute one without a fragment: https://app.example/callback.",
        )


def require_web_address(url: str) -> None:
    """See to it that this is an http or https URL.

    Raises:
        InvalidRequest.
    """
    scheme, host = _parts(url)
    if scheme not in {"http", "https"} or not host:
        raise InvalidRequest(
            f"{url[:100]!r} is no web address.", hint="Write one such as https://app.example/icon.png."
        )


def _parts(uri: str) -> tuple[str, str]:
    """Scheme and host in lower case; empty where the URI has none, or holds what no URI may."""
    if len(uri) > MAX_URI or not uri.isascii() or not uri.isprintable() or any(c in uri for c in " \"'<>\\"):
        return "", ""
    try:
        split = urlsplit(uri)
    except ValueError:
        return "", ""
    # The host becomes part of a Content-Security-Policy, where these two have a meaning.
    return ("", "") if ";" in split.netloc or "," in split.netloc else (split.scheme.lower(), split.netloc.lower())
