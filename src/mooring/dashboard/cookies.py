"""The two cookies: the session, and what a sign-in form is known again by."""

from litestar.datastructures import Cookie

from mooring.dashboard.services import Services
from mooring.operators import SESSION_LIFE

SESSION = "mooring_session"
FORM = "mooring_form"
_PATH = "/dashboard"


def session_cookie(services: Services, token: str) -> Cookie:
    """The session's token, which no script reads; Lax, so that a link in a letter leads to its page."""
    return Cookie(
        key=SESSION, value=token, path=_PATH, httponly=True, samesite="lax", secure=services.secure,
        max_age=int(SESSION_LIFE.total_seconds()),
    )  # fmt: skip


def form_cookie(services: Services, value: str) -> Cookie:
    """What the form that is shown holds as well; it comes from no other site."""
    return Cookie(key=FORM, value=value, path=_PATH, httponly=True, samesite="strict", secure=services.secure)


def ended(services: Services, key: str) -> Cookie:
    """The cookie that takes this one away."""
    return Cookie(key=key, value="", path=_PATH, httponly=True, secure=services.secure, max_age=0)
