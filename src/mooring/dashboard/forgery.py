"""That a form was ours: a token in it which no other site can know."""

import hmac

from mooring.errors import Forbidden

FIELD = "form_token"


def form_token(session: str) -> str:
    """What the forms of this session carry: only who knows the session's own token can make it."""
    return hmac.digest(session.encode(), b"mooring dashboard form", "sha256").hex()


def require_genuine(shown: str, expected: str, fetch_site: str | None) -> None:
    """See to it that what was sent came from a form of ours.

    Args:
        shown: the token in the form.
        expected: the token that it must be; "" is never right.
        fetch_site: what the browser says of where it comes from (``Sec-Fetch-Site``), if it says so.

    Raises:
        Forbidden.
    """
    genuine = bool(expected) and hmac.compare_digest(shown.encode(), expected.encode())
    if not genuine or fetch_site not in {None, "same-origin", "none"}:
        raise Forbidden(
            "This form is not one that was made for you, so nothing was done.",
            hint="Go back, load the page again, and send it from there.",
        )
