"""The documents hold together: their links lead somewhere, their commands exist, and they stay short."""

import re

import pytest

from tests.contract.documents import ROOT, Document, document, documents

LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)")
LONGEST = 400
README_LINES = 66
"""A screen and a half."""

each = pytest.mark.parametrize("one", documents(), ids=lambda one: one.name)


@each
def test_links_resolve(one: Document) -> None:
    for link in LINK.findall(one.prose):
        path, _, anchor = link.partition("#")
        if "://" in path:
            assert path.startswith("https://"), link
            continue
        target = (one.path.parent / path).resolve() if path else one.path
        assert target.exists(), link
        if anchor:
            assert anchor in Document(target).anchors(), link


@each
def test_it_is_not_longer_than_a_reader_bears(one: Document) -> None:
    assert len(one.text.splitlines()) <= (README_LINES if one.name == "README.md" else LONGEST)


@each
def test_verbs_of_make_exist(one: Document) -> None:
    verbs = set(re.findall(r"^([a-z%-]+):", (ROOT / "Makefile").read_text(), flags=re.MULTILINE))
    floors = {f"test-{path.name}" for path in (ROOT / "tests").iterdir() if path.is_dir()}
    for verb in re.findall(r"(?:`|\$ )make ([a-z][a-z-]*)", one.text):
        assert verb in verbs | floors, verb


@each
def test_every_document_is_found_from_another(one: Document) -> None:
    if one.name == "README.md":
        return
    found = {
        (other.path.parent / link.partition("#")[0]).resolve()
        for other in documents()
        for link in LINK.findall(other.prose)
    }
    assert one.path in found


def test_unreleased_changes_stand_on_top() -> None:
    titles = [title for title in document("CHANGELOG.md").sections() if title.startswith("[")]
    assert titles[0] == "[Unreleased]"
