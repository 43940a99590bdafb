"""ARCHITECTURE.md, the error tree and the decisions say what is."""

import inspect
import re
import tomllib
from pathlib import Path

from mooring import errors
from tests.contract.documents import PACKAGE, ROOT, code, document, documents

ARCHITECTURE = document("ARCHITECTURE.md")
ADR_SECTIONS = ["Context", "Decision", "Consequences", "Alternatives", "Enforced by"]


def rooms_of(line: str) -> list[str]:
    return [room.strip() for room in line.split("|")]


def test_the_floors_are_those_that_are_enforced() -> None:
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"]
    [stack] = [contract for contract in settings["contracts"] if contract["type"] == "layers"]
    [picture] = ARCHITECTURE.blocks("floors")
    drawn = [rooms_of(re.split(r" {2,}", line)[0]) for line in picture.splitlines()]
    enforced = [[room.strip("() ") for room in rooms_of(layer)] for layer in stack["layers"]]
    assert [[room.strip("()") for room in floor] for floor in drawn] == enforced


def test_rooms_in_brackets_are_those_without_code() -> None:
    [picture] = ARCHITECTURE.blocks("floors")
    for line in picture.splitlines():
        for room in rooms_of(re.split(r" {2,}", line)[0]):
            name = room.strip("()")
            exists = (PACKAGE / name).is_dir() or (PACKAGE / f"{name}.py").is_file()
            assert exists != room.startswith("("), room


def test_every_table_of_the_database_has_its_owner() -> None:
    made = {
        name
        for script in (PACKAGE / "store" / "migrations" / "versions").glob("*.sql")
        for name in re.findall(r"^CREATE TABLE (\w+) \(", script.read_text(), flags=re.MULTILINE)
    }
    owned = [
        name
        for room, owns, _ in (row for row in ARCHITECTURE.rows() if len(row) == 3)
        if (PACKAGE / code(room)).is_dir()
        for name in re.findall(r"`([a-z_]+)`", owns)
        if name in made
    ]
    assert sorted(owned) == sorted(made)


def test_the_error_tree_is_drawn_as_it_is() -> None:
    drawn: dict[str, str] = {}
    above: list[tuple[int, str]] = []
    for line in (errors.__doc__ or "").splitlines():
        names = re.findall(r"\b[A-Z]\w+[a-z]\w+\b", re.sub(r"\(.*?\)", "", re.split(r" {2,}(?=\S)", line.strip())[0]))
        if not re.match(r" *[│├└ ]*(├|└)|MooringError", line.strip()):
            continue
        depth = len(line) - len(line.lstrip(" │├└"))
        above = [(d, n) for d, n in above if d < depth]
        parent = above[-1][1] if above else "Exception"
        drawn |= dict.fromkeys(names, parent)
        above.append((depth, names[0]))
    real = {
        name: kind.__bases__[0].__name__
        for name, kind in inspect.getmembers(errors, inspect.isclass)
        if issubclass(kind, Exception)
    }
    assert drawn == real


def test_decisions_are_numbered_and_whole() -> None:
    decisions = sorted((ROOT / "docs" / "adr").glob("0*.md"))
    assert [int(path.name[:4]) for path in decisions] == list(range(1, len(decisions) + 1))
    index = (ROOT / "docs" / "adr" / "README.md").read_text()
    for path in decisions:
        titles = list(document(path.relative_to(ROOT).as_posix()).sections())
        assert titles[0].startswith(f"{int(path.name[:4])}. "), path.name
        assert titles[1:] == ADR_SECTIONS, path.name
        assert f"({path.name})" in index


def test_every_file_that_is_named_exists() -> None:
    missing: list[str] = []
    for one in documents():
        for name in re.findall(r"`([\w./-]+/[\w.-]+\.(?:py|sql|md|toml|svg))`", one.prose):
            places: list[Path] = [PACKAGE / name, ROOT / name]
            if not any(place.exists() for place in places):
                missing.append(f"{one.name}: {name}")
    assert not missing
