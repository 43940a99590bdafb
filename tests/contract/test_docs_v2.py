"""The paths of v2 in docs/contract.md are those that there are, each with whom it asks for."""

import re

from mooring.api.v2 import ROUTES
from tests.contract.documents import document

WITH_SECRET_IN_BODY = {"POST /connect/detect-provider", "POST /connect/token", "POST /oauth/token", "GET /oauth/token"}
"""These ask who is calling, but not in the header."""


def declared() -> dict[str, bool]:
    """Method and path of each route, and whether its header says who is calling."""
    return {
        f"{method} {path.replace(':str', '')}": route.opt["doc"].secured
        for route in ROUTES
        for path in route.paths
        for method in map(str, route.http_methods)
    }


def written() -> list[tuple[str, bool]]:
    """The same, as the table has it."""
    rows = [row for row in document("docs/contract.md").rows() if re.fullmatch(r"`[A-Z]+ /\S+`", row[0])]
    paths = [(row[0].strip("`"), row[1] != "–") for row in rows]
    return [(path, is_secured and path not in WITH_SECRET_IN_BODY) for path, is_secured in paths]


def test_every_path_of_v2_stands_there_once_and_no_other() -> None:
    assert sorted(written()) == sorted(declared().items())
