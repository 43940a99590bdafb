"""The repository's documents, as the tests of this floor read them."""

import re
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PACKAGE = ROOT / "src" / "mooring"

_ROW = re.compile(r"^\|(.*)\|$")
_CELL = re.compile(r"(?<!\\)\|")
_SEPARATOR = re.compile(r"\|[-:| ]+\|")
_HEADING = re.compile(r"^(#{1,6}) (.*)$")


@dataclass(frozen=True)
class Document:
    """One Markdown file."""

    path: Path

    @property
    def name(self) -> str:
        """The path from the root of the repository."""
        return self.path.relative_to(ROOT).as_posix()

    @cached_property
    def text(self) -> str:
        return self.path.read_text(encoding="utf-8")

    @cached_property
    def prose(self) -> str:
        """The text without its fenced blocks."""
        return re.sub(r"^```.*?^```$", "", self.text, flags=re.DOTALL | re.MULTILINE)

    def blocks(self, language: str) -> list[str]:
        """What its fenced blocks of a language hold."""
        return re.findall(rf"^```{language}\n(.*?)^```$", self.text, flags=re.DOTALL | re.MULTILINE)

    def rows(self) -> list[list[str]]:
        """The cells of all its tables' rows, without their heads."""
        lines = self.prose.splitlines()
        found: list[list[str]] = []
        for number, line in enumerate(lines):
            match = _ROW.match(line)
            is_head = number + 1 < len(lines) and _SEPARATOR.fullmatch(lines[number + 1])
            if match and not is_head and not _SEPARATOR.fullmatch(line):
                found.append([cell.strip() for cell in _CELL.split(match[1])])
        return found

    def sections(self) -> dict[str, str]:
        """The text below each heading, up to the next one of any level."""
        found: dict[str, str] = {}
        title = ""
        for line in self.prose.splitlines():
            if match := _HEADING.match(line):
                title = match[2]
                found[title] = ""
            elif title:
                found[title] += line + "\n"
        return found

    def anchors(self) -> set[str]:
        """What a link into it may name, by the rule of the common forges."""
        return {re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-") for title in self.sections()}


def code(cell: str) -> str:
    """What stands in the cell's first back-quotes, or ""."""
    match = re.search(r"`([^`]*)`", cell)
    return match[1] if match else ""


def document(name: str) -> Document:
    """One of them, by its path from the root."""
    return Document(ROOT / name)


def documents() -> list[Document]:
    """All of them."""
    top = (ROOT / name for name in ("README.md", "ARCHITECTURE.md", "CHANGELOG.md"))
    return [Document(path) for path in (*top, *sorted((ROOT / "docs").rglob("*.md")))]


def source_files() -> dict[str, str]:
    """The package's own Python, by path from ``src/mooring``."""
    return {path.relative_to(PACKAGE).as_posix(): path.read_text() for path in sorted(PACKAGE.rglob("*.py"))}
