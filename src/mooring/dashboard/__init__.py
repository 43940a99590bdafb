"""The dashboard: pages for the people who run an installation, and for the administrators of its applications.

Its doors ask who is there (``doors.py``), call one service, and draw a page; what somebody may see or decide is
decided in ``mooring.operators``. It wires nothing and knows no SQL. Start at ``app.py``.
"""

from mooring.dashboard.app import ROOT, create_dashboard, dashboard_of
from mooring.dashboard.services import Services

__all__ = ["ROOT", "Services", "create_dashboard", "dashboard_of"]
