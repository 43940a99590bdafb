"""The HTTP API: v3 (``/v3/…``) and the v2 facade, over services that are handed in.

The doors parse, call one service and answer; they hold no rules and wire nothing. What an error is on
the wire is decided in one table, ``http.py``. Start at ``app.py``, then follow ``frame.py`` inwards.
"""

from mooring.api.app import create_app
from mooring.api.services import Services
from mooring.api.serving import serve

__all__ = ["Services", "create_app", "serve"]
