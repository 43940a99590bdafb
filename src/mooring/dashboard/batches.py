"""Accounts of an application that move together, as its page shows them."""

from collections.abc import Sequence
from dataclasses import dataclass

from markupsafe import Markup

from mooring.applications import Application
from mooring.dashboard.doors import Visit
from mooring.dashboard.forgery import form_token
from mooring.dashboard.move_views import BatchView, batch_view
from mooring.dashboard.pages import drawn
from mooring.dashboard.streams import Frame, Pieces
from mooring.operators import may_steer

BATCHES = 5
"""Batches on a page."""


@dataclass(frozen=True, slots=True)
class Batches:
    """The latest batches of an application.

    Attributes:
        pieces: what changes while somebody looks.
        go_on: whether anything of them is still to change by itself.
    """

    views: Sequence[BatchView]
    pieces: Pieces
    go_on: bool


async def batches_of(visit: Visit, application: Application) -> Batches:
    """How far the application's batches are, for whoever visits."""
    found = await visit.services.feature.batches(application.id)
    views = [batch_view(batch) for batch in found[:BATCHES]]
    progress = {f"batch-{view.id}": drawn("_progress.html", batch=view) for view in views}
    listed = drawn(
        "_batches.html", application=application, batches=views, older=len(found) > BATCHES, progress=progress,
        steers=may_steer(visit.operator), form_token=form_token(visit.session),
    )  # fmt: skip
    pieces: dict[str, Markup | Frame] = {"batches": Frame(listed, " ".join(view.key for view in views))}
    return Batches(views, pieces | progress, go_on=any(view.ended < view.total for view in views))
