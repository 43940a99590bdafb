"""What Mooring needs to run may be used under the MIT licence, and is listed as it is."""

import re
from importlib import metadata

from tests.contract.documents import ROOT, document

FORBIDDEN = re.compile(r"(?<!L)(?<!Lesser )\b(?:A?GPL|(?:Affero )?General Public Licen[cs]e)", re.IGNORECASE)


def locked(name: str = "requirements.lock") -> list[str]:
    return re.findall(r"^([a-z0-9._-]+)==", (ROOT / name).read_text(), flags=re.MULTILINE)


def said(package: str, field: str) -> list[str]:
    """What a package's metadata hold under a name, as its JSON form spells it."""
    found = metadata.metadata(package).json.get(field, [])
    return found if isinstance(found, list) else [found]


def stated(package: str) -> str:
    """Everything that a package says of its licence."""
    classified = [word for word in said(package, "classifier") if word.startswith("License")]
    return "\n".join([*said(package, "license_expression"), *said(package, "license"), *classified])


def test_nothing_is_under_the_gpl() -> None:
    for package in {*locked(), *locked("requirements-demo.lock")}:
        assert stated(package).strip(), f"{package} states no licence"
        assert not FORBIDDEN.search(stated(package)), package


def test_the_rule_tells_the_gpl_from_the_lgpl() -> None:
    for words in ("GPL-3.0-or-later", "AGPL-3.0", "GNU General Public License v3", "GNU Affero General Public License"):
        assert FORBIDDEN.search(words), words
    for words in ("LGPL-3.0-or-later", "GNU Lesser General Public License v3 or later (LGPLv3+)"):
        assert not FORBIDDEN.search(words), words


def test_every_package_is_listed() -> None:
    rows = {row[0]: row[1] for row in document("docs/licences.md").rows() if len(row) == 2}
    assert sorted(rows) == sorted(locked())
    for package, licence in rows.items():
        for expression in said(package, "license_expression"):
            assert licence == expression, package


def test_the_demonstrations_packages_are_named() -> None:
    text = document("docs/licences.md").text
    for package in set(locked("requirements-demo.lock")) - set(locked()):
        assert f"`{package}`" in text, package
