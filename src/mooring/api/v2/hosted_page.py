"""The page of hosted authentication: one form, without any script, in words for whoever owns the mailbox."""

import base64
import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from html import escape
from urllib.parse import urlsplit

_STYLE = """
:root { color-scheme: light dark }
body { font: 16px/1.5 system-ui, sans-serif; max-width: 28rem; margin: 3rem auto; padding: 0 1rem }
label { display: block; margin-top: .8rem; font-weight: 600 }
input { box-sizing: border-box; width: 100%; padding: .5rem; font: inherit }
fieldset { border: 0; margin: 0; padding: 0; display: grid; grid-template-columns: 1fr 6rem; gap: 0 .8rem }
button { margin-top: 1.4rem; padding: .6rem 1.4rem; font: inherit; font-weight: 600 }
[role=alert] { border-left: 4px solid #c62828; padding: .4rem .8rem; margin: 1rem 0; overflow-wrap: anywhere }
small { opacity: .8 }
"""

_STYLE_HASH = base64.b64encode(hashlib.sha256(_STYLE.encode()).digest()).decode()

_PAGE = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<title>Connect your mailbox to {application}</title><style>{style}</style></head><body><main>
<h1>Connect your mailbox</h1>
<p>{application} asks to read and send mail with this account.</p>{problem}
<form method="post" autocomplete="on">
<input type="hidden" name="csrf" value="{csrf}">
<label for="email">E-mail address</label>
<input id="email" name="email" type="email" required autocomplete="email" value="{email}">
<label for="password">Password</label>
<input id="password" name="password" type="password" required autocomplete="current-password">
<label for="username">User name <small>if it is not the address</small></label>
<input id="username" name="username" autocomplete="username" value="{username}">
<fieldset><div><label for="imap_host">IMAP server</label>
<input id="imap_host" name="imap_host" required spellcheck="false" value="{imap_host}"></div>
<div><label for="imap_port">Port</label>
<input id="imap_port" name="imap_port" inputmode="numeric" value="{imap_port}"></div></fieldset>
<fieldset><div><label for="smtp_host">SMTP server <small>to send</small></label>
<input id="smtp_host" name="smtp_host" spellcheck="false" value="{smtp_host}"></div>
<div><label for="smtp_port">Port</label>
<input id="smtp_port" name="smtp_port" inputmode="numeric" value="{smtp_port}"></div></fieldset>
<button type="submit">Connect</button> &nbsp; <a href="{cancel}">Cancel</a>
</form></main></body></html>
"""

_DEFAULTS = {"imap_port": "993", "smtp_port": "465"}
_SHOWN = ("email", "username", "imap_host", "imap_port", "smtp_host", "smtp_port")
"""What was typed and is shown again; a password never is."""


@dataclass(frozen=True, slots=True)
class Form:
    """The form, as it is to be shown.

    Attributes:
        cancel: where somebody is led who does not want to.
        typed: what was typed before.
        problem: why it did not work, or "".
    """

    application: str
    csrf: str
    cancel: str
    typed: Mapping[str, str] = field(default_factory=dict[str, str])
    problem: str = ""


def page(form: Form) -> bytes:
    """The page as HTML."""
    problem = f'<p role="alert">{escape(form.problem)}</p>' if form.problem else ""
    typed = {name: escape(form.typed.get(name) or _DEFAULTS.get(name, "")) for name in _SHOWN}
    return _PAGE.format(
        application=escape(form.application),
        style=_STYLE,
        csrf=escape(form.csrf),
        cancel=escape(form.cancel),
        problem=problem,
        **typed,
    ).encode()


def policy(redirect_uri: str) -> str:
    """The Content-Security-Policy: nothing is loaded, and the form leads here and from here to this URI only.

    Browsers hold a form's redirects to ``form-action`` as well.
    """
    uri = urlsplit(redirect_uri)
    target = f"{uri.scheme}://{uri.netloc}" if uri.scheme in {"http", "https"} else f"{uri.scheme}:"
    return (
        f"default-src 'none'; style-src 'sha256-{_STYLE_HASH}'; form-action 'self' {target}; "
        "base-uri 'none'; frame-ancestors 'none'"
    )
