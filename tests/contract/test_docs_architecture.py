"""ARCHITECTURE.md, the error tree and the decisions say what is."""

import inspect
import re
import tomllib

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


def drawn_tree(picture: str) -> dict[str, str]:
    """Each error of the picture with the one that it hangs on."""
    found: dict[str, str] = {}
    above: list[tuple[int, str]] = []
    for line in picture.splitlines():
        bare = line.lstrip(" │├└")
        if not ("├" in line or "└" in line or bare.startswith("MooringError(")):
            continue
        depth = len(line) - len(bare)
        names = re.findall(r"\w+", re.sub(r"\(.*?\)", "", re.split(r" {2,}", bare)[0]))
        above = [(other, name) for other, name in above if other < depth]
        found |= dict.fromkeys(names, above[-1][1] if above else "Exception")
        above.append((depth, names[0]))
    return found


def test_the_error_tree_is_drawn_as_it_is() -> None:
    real = {
        name: kind.__bases__[0].__name__
        for name, kind in inspect.getmembers(errors, inspect.isclass)
        if issubclass(kind, Exception)
    }
    assert drawn_tree(errors.__doc__ or "") == real


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
        for name in re.findall(r"`(\w[\w./-]*/[\w.-]+\.(?:py|sql|md|toml|svg))`", one.prose):
            if not (PACKAGE / name).exists() and not (ROOT / name).exists():
                missing.append(f"{one.name}: {name}")
    assert not missing
