"""The commands: each calls one service and shows what it returned, for people or with ``--json``.

Start at ``main.py`` for what there is; ``up.py`` is the one that stays.
"""

from mooring.cli.main import main

__all__ = ["main"]
