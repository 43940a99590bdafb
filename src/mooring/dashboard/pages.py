"""Templates become answers; everything that is put into one is text until a template says otherwise."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any
from urllib.parse import quote

from jinja2 import Environment, PackageLoader, StrictUndefined
from litestar import Response
from litestar.datastructures import Cookie
from markupsafe import Markup

from mooring.dashboard import files
from mooring.dashboard.doors import Visit
from mooring.dashboard.forgery import form_token
from mooring.operators import may_decide, may_steer


def moment(value: datetime | None, missing: str = "never") -> Markup:
    """A time for people and machines, in UTC, to the second."""
    if value is None:
        return Markup("{}").format(missing)
    at = value.astimezone(UTC)
    return Markup('<time datetime="{}">{}</time>').format(at.isoformat(timespec="seconds"), f"{at:%Y-%m-%d %H:%M:%S}")


_templates = Environment(
    loader=PackageLoader("mooring.dashboard"),
    autoescape=True,
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
)
_templates.filters |= {"moment": moment, "static": files.address, "segment": lambda text: quote(str(text), safe="")}


def drawn(template: str, **values: Any) -> Markup:
    """The template with these values, of which nothing can be taken for HTML."""
    return Markup(_templates.get_template(template).render(**values))  # noqa: S704 (autoescape is on)


def shown(visit: Visit, template: str, *, status: int = 200, **values: Any) -> Response[bytes]:
    """A page for somebody who is signed in."""
    return html(
        drawn(
            template,
            operator=visit.operator,
            decides=may_decide(visit.operator),
            steers=may_steer(visit.operator),
            form_token=form_token(visit.session),
            path=visit.request.url.path,
            **values,
        ),
        status=status,
    )


def html(
    text: str, *, status: int = 200, cookies: Sequence[Cookie] = (), headers: Mapping[str, str] | None = None
) -> Response[bytes]:
    """This text as an answer."""
    return Response(
        text.encode("utf-8", "replace"),
        status_code=status,
        media_type="text/html; charset=utf-8",
        headers=dict(headers or {}),
        cookies=list(cookies),
    )


def see_other(location: str, *, cookies: Sequence[Cookie] = ()) -> Response[bytes]:
    """Go and look there: what is answered to a form that was accepted."""
    return Response(b"", status_code=303, headers={"Location": location}, cookies=list(cookies))
