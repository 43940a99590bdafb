"""What a request says of the machine that sent it."""

from mooring.api.doors import Req

MAX_USER_AGENT = 500
"""Characters that are kept of it."""


def address_of(request: Req) -> str:
    """The address that the connection came from; headers that claim another are not believed."""
    return request.client.host if request.client else ""


def is_python_sdk(request: Req) -> bool:
    """Whether the official Python SDK calls: it names itself, the Node SDK does not (contract 5.2)."""
    return request.headers.get("x-nylas-api-wrapper", "").lower() == "python"


def user_agent_of(request: Req) -> str:
    """The program that the caller says it is."""
    return request.headers.get("user-agent", "")[:MAX_USER_AGENT]
