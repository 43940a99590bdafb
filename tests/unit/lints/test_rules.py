"""Each of the house's own rules finds what it is for, and leaves its neighbours alone."""

import pytest

from scripts.lints import Source, check

ROOM = "src/mooring/mail/service.py"


def messages(path: str, text: str) -> list[str]:
    return [finding.message for finding in check(Source(path, text))]


@pytest.mark.parametrize(
    ("path", "text"),
    [
        (ROOM, "q = 'SELECT id FROM messages'"),
        (ROOM, "q = f'SELECT {c}\\n FROM {t}'"),
        (ROOM, "q = 'insert'\nw = 'INSERT INTO a VALUES (1)'"),
        (ROOM, "q = 'UPDATE grants g SET a = 1'"),
        (ROOM, "q = 'DELETE ' 'FROM a'"),
        (ROOM, "q = 'CREATE TABLE a ()'"),
        (ROOM, "from datetime import datetime\nx = datetime.now()"),
        (ROOM, "import datetime\nx = datetime.datetime.utcnow()"),
        (ROOM, "import time\nx = time.time()"),
        (ROOM, "from time import time"),
        (ROOM, "print('x')"),
        ("tests/unit/test_a.py", "from unittest.mock import patch"),
        ("tests/unit/test_a.py", "import unittest.mock"),
        ("tests/unit/test_a.py", "import pytest\n@pytest.mark.skip\ndef f(): pass"),
        ("tests/unit/test_a.py", "import pytest\npytest.importorskip('x')"),
        ("tests/unit/test_a.py", "import asyncio\nasync def f(): await asyncio.sleep(1)"),
        (ROOM, "x = 1\n" * 401),
        (ROOM, "def f():\n" + "    x = 1\n" * 60),
    ],
)
def test_rule_finds_what_it_is_for(path: str, text: str) -> None:
    assert len(messages(path, text)) == 1


@pytest.mark.parametrize(
    ("path", "text"),
    [
        ("src/mooring/mail/repository.py", "q = 'SELECT id FROM messages'"),
        ("src/mooring/mail/repository/folders.py", "q = 'SELECT id FROM messages'"),
        ("src/mooring/store/pool.py", "q = 'SELECT id FROM messages'"),
        ("tests/store/test_a.py", "q = 'SELECT id FROM messages'"),
        (ROOM, "command = 'SELECT \"INBOX\"'"),
        (ROOM, "hint = 'update the settings, then select one from the list'"),
        (ROOM, '"""A room that never says SELECT a FROM b itself."""'),
        ("src/mooring/clock.py", "import time\nx = time.time()"),
        (ROOM, "import time\nbegan = time.monotonic()"),
        (ROOM, "now = clock.now()\nt = clock.monotonic()"),
        ("src/mooring/cli/main.py", "print('x')"),
        ("tests/unit/test_a.py", "import asyncio\nasync def f(): await asyncio.sleep(0)"),
        (ROOM, "x = 1\n" * 400),
        (ROOM, "def f():\n" + "    x = 1\n" * 59),
    ],
)
def test_rule_leaves_its_neighbours_alone(path: str, text: str) -> None:
    assert messages(path, text) == []


def test_finding_names_the_line() -> None:
    [finding] = check(Source(ROOM, "x = 1\nprint(x)\n"))
    assert finding.line == 2
