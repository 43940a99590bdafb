"""The process itself: ``mooring``, and ``python -m mooring``.

Nothing that takes time is imported before a Ctrl-C ends the process as it does later on.
"""

import os
import signal


def main() -> None:
    """Run the command line."""
    # Nothing is begun yet that had to be ended, and an exception could come up anywhere inside an import. A command
    # takes the signal back when it begins.
    signal.signal(signal.SIGINT, _leave)
    from mooring.cli import main as command_line

    command_line()


def _leave(*_: object) -> None:
    os._exit(128 + signal.SIGINT)


if __name__ == "__main__":
    main()
