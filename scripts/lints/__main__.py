"""Check the files of this repository; ends with status 1 if any rule is broken."""

import sys
from pathlib import Path

from scripts.lints.rules import Source, check

#: Folders that hold our own Python.
_FOLDERS = ("src", "tests", "scripts", "bench")


def main() -> int:
    """Print every finding as ``file:line: what is wrong``; the exit status."""
    root = Path(__file__).resolve().parents[2]
    findings = 0
    for folder in _FOLDERS:
        for file in sorted((root / folder).rglob("*.py")):
            path = file.relative_to(root)
            for finding in check(Source(path.as_posix(), file.read_text())):
                print(f"{path}:{finding.line}: {finding.message}")
                findings += 1
    return 1 if findings else 0


if __name__ == "__main__":
    sys.exit(main())
