"""A wall clock that a test moves, under every process of a Mooring, its PostgreSQL included; durations stay real."""

from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

LIBRARY = next(Path("/usr/lib").glob("*/faketime/libfaketimeMT.so.1"), None)


@dataclass
class MovedClock:
    """How far the clock is ahead, in a file that the processes look into whenever they want to know the time."""

    file: Path
    ahead: timedelta = timedelta(0)

    def __post_init__(self) -> None:
        assert LIBRARY is not None, "libfaketime is missing; scripts/install-test-tools installs it"
        self.pass_by(timedelta(0))

    def pass_by(self, time: timedelta) -> None:
        """Let so much time pass at once."""
        self.ahead += time
        self.file.write_text(f"+{self.ahead.total_seconds():.0f}\n")

    @property
    def environment(self) -> dict[str, str]:
        """What makes a process look at this clock."""
        return {
            "LD_PRELOAD": str(LIBRARY), "FAKETIME_TIMESTAMP_FILE": str(self.file), "FAKETIME_NO_CACHE": "1",
            "FAKETIME_DONT_FAKE_MONOTONIC": "1", "DONT_FAKE_MONOTONIC": "1", "NO_FAKE_STAT": "1",
        }  # fmt: skip
