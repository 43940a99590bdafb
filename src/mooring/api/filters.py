"""Which messages somebody asks for: the filters that both generations have."""

from mooring.api.queries import Query
from mooring.errors import InvalidRequest
from mooring.mail import MessageFilter

FILTERS = (
    "subject", "any_email", "from", "to", "cc", "bcc", "in", "unread", "starred", "has_attachment", "thread_id",
    "received_before", "received_after",
)  # fmt: skip
"""Their query parameters."""

MAX_ANY_EMAIL = 25
"""Addresses in ``any_email`` (contract 4.1.1)."""


def message_filter(query: Query, *, folder_id: str | None, filename: str | None = None) -> MessageFilter:
    """The filter that this query spells out.

    Args:
        folder_id: what ``in`` stands for.
        filename: of an attachment; v2 alone asks for it.
    Raises:
        InvalidRequest: a value cannot be meant.
    """
    any_email = query.many("any_email")
    if len(any_email) > MAX_ANY_EMAIL:
        raise InvalidRequest(f"'any_email' takes at most {MAX_ANY_EMAIL} addresses.")
    return MessageFilter(
        folder_id=folder_id,
        subject=query.text("subject"),
        any_email=any_email,
        from_=query.many("from"),
        to=query.many("to"),
        cc=query.many("cc"),
        bcc=query.many("bcc"),
        unread=query.flag("unread"),
        starred=query.flag("starred"),
        has_attachment=query.flag("has_attachment"),
        filename=filename,
        thread_id=query.text("thread_id"),
        received_before=query.moment("received_before"),
        received_after=query.moment("received_after"),
    )
