"""The repository speaks of the product alone: no machine's paths, no hosts in lock files, no unfinished notes."""

import re
import subprocess

from tests.contract.documents import ROOT

MACHINE_PATH = re.compile(r"(?<![\w.:/{}~-])/(?:home|Users|work|farm|root)/[\w.]")
NOTE = re.compile(r"\b(?:TO[D]O|FIX[M]E|XX[X])\b")
REGISTRY = re.compile(r"\b(?:pyp[i]|pythonhoste[d]|artifactor[y]|devp[i])\.[a-z]{2,}|index-ur[l]", re.IGNORECASE)


def files() -> dict[str, str]:
    """Every text file of the repository, those that git is told to ignore left out."""
    listed = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    found: dict[str, str] = {}
    for name in listed.stdout.splitlines():
        path = ROOT / name
        if not path.is_file() or name.startswith("tests/corpus/"):
            continue
        try:
            found[name] = path.read_text(encoding="utf-8")
        except UnicodeDecodeError:
            continue
    return found


def broken(pattern: re.Pattern[str]) -> list[str]:
    return [
        f"{name}:{number}: {line.strip()[:120]}"
        for name, text in files().items()
        for number, line in enumerate(text.splitlines(), start=1)
        if pattern.search(line)
    ]


def test_no_path_of_anybodys_machine() -> None:
    assert not broken(MACHINE_PATH)


def test_nothing_is_left_for_later() -> None:
    assert not broken(NOTE)


def test_no_registry_is_named() -> None:
    assert not broken(REGISTRY)


def test_lock_files_name_no_host() -> None:
    locks = sorted(ROOT.glob("*.lock"))
    assert len(locks) == 4
    for lock in locks:
        assert "://" not in lock.read_text(), lock.name
