"""The demonstration: the articles' story in one process group, without root, a mailbox or a network.

It runs a mail host that admits only static addresses, and Mooring as ``mooring up`` runs it, and plays a
customer of the API. It wires nothing and prints nothing: a ``Teller`` hears every chapter. It needs the parts
of the extra ``demo``. Start at ``story.py``.
"""

from mooring.demo.errors import NotAsTold
from mooring.demo.story import tell
from mooring.demo.types import Chapter, Summary, Table, Teller

__all__ = ["Chapter", "NotAsTold", "Summary", "Table", "Teller", "tell"]
