"""What the documents list is what there is: keys, commands, errors, reasons, RFCs, numbered statements."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest
from typer.main import get_command

from mooring import errors
from mooring.api import http
from mooring.api.connecting import SETTINGS
from mooring.api.limits import RATES
from mooring.cli.main import cli
from mooring.config import load_config
from mooring.config.egress import RawPool, RawSource
from mooring.config.loader import ENVIRONMENT_PREFIX
from mooring.config.sections import File
from mooring.grants import parse_settings
from mooring.moves import BEGINNINGS, TRANSITIONS
from mooring.send import OutcomeUnknown
from mooring.webhooks import CATALOGUE
from tests.contract.documents import ROOT, code, document, source_files

CONFIGURATION = document("docs/configuration.md")
COMMANDS = document("docs/cli.md")
ERRORS = document("docs/errors.md")
EGRESS = document("docs/egress.md")


def keys_of(section: type[msgspec.Struct], path: str) -> Iterator[tuple[str, object]]:
    """Every key below this section with its default; NODEFAULT where it must be given."""
    for field in msgspec.structs.fields(section):
        name = f"{path}.{field.name}" if path else field.name
        default: object = field.default
        if isinstance(default, msgspec.Struct):
            yield from keys_of(type(default), name)
        elif field.default_factory is not msgspec.NODEFAULT:
            yield name, field.default_factory()
        else:
            yield name, default


def every_key() -> dict[str, object]:
    return {
        **dict(keys_of(File, "")),
        **dict(keys_of(RawSource, "egress.source")),
        **dict(keys_of(RawPool, "egress.pool")),
    }


def spelt(default: object) -> str:
    match default:
        case msgspec.NODEFAULT:
            return "required"
        case "":
            return '""'
        case bool():
            return str(default).lower()
        case _:
            return str(default)


def test_every_key_stands_there_with_its_default() -> None:
    rows = [row for row in CONFIGURATION.rows() if "." in code(row[0])]
    written = {code(row[0]): code(row[1]) or row[1] for row in rows}
    assert len(written) == len(rows)
    assert written == {name: spelt(default) for name, default in every_key().items()}


def test_environment_variables_are_those_that_are_read(tmp_path: Path) -> None:
    file = tmp_path / "mooring.toml"
    file.write_text("")
    for row in CONFIGURATION.rows():
        if len(row) != 5 or "." not in code(row[0]):
            continue
        variable = code(row[2])
        expected = ENVIRONMENT_PREFIX + code(row[0]).replace(".", "_").upper()
        if row[2] == "–":
            with pytest.raises(errors.ConfigError, match="stands for no key"):
                load_config(file, {expected: "not a value at all"})
            continue
        assert variable == expected
        if code(row[0]) not in {"objects.url", "security.key_file", "policy.allow_private_targets"}:
            with pytest.raises(errors.ConfigError, match=variable):
                load_config(file, {variable: "not a value at all"})


def test_the_whole_example_can_be_used(tmp_path: Path) -> None:
    [example] = CONFIGURATION.blocks("toml")
    file = tmp_path / "mooring.toml"
    file.write_text(example)
    config = load_config(file, {})
    assert [str(pool.environment) for pool in config.egress.pools] == ["v3-us-static", "v3-us-dynamic"]


def commands(command: Any, name: str) -> Iterator[tuple[str, Any]]:
    below: dict[str, Any] = getattr(command, "commands", {})
    if not below:
        yield name, command
    for word, child in below.items():
        yield from commands(child, f"{name} {word}")


def test_every_command_stands_there_with_its_options() -> None:
    real = {
        name: {o for p in command.params if p.param_type_name == "option" and not p.hidden for o in p.opts} - {"--help"}
        for name, command in commands(get_command(cli), "mooring")
    }
    written = {
        code(title): set(re.findall(r"`(--[a-z-]+)`", text.partition("Options:")[2]))
        for title, text in COMMANDS.sections().items()
        if title.startswith("`mooring")
    }
    assert written == real


def test_the_diagram_of_moves_is_the_table() -> None:
    [diagram] = document("docs/moves.md").blocks("mermaid")
    arrows = [("" if a == "[*]" else a, b, step) for a, b, step in re.findall(r"(\S+) --> (\S+): (\S+)", diagram)]
    begun = [("", str(state), str(step)) for (_, step), state in BEGINNINGS.items()]
    assert arrows == begun + [(str(a), str(b), str(step)) for (a, step), b in TRANSITIONS.items()]


def test_every_event_stands_there_as_the_catalogue_has_it() -> None:
    written = {code(row[0]): row[1:] for row in document("docs/webhooks.md").rows() if len(row) == 4}
    assert written == {
        str(e.type): ["ours" if e.ours else "shared", f"`{e.v2}`" if e.v2 else "–", e.when] for e in CATALOGUE.values()
    }


def failure(kind: type[errors.ProviderFailure], *, stage: str, traffic: str, refused: bool) -> errors.ProviderFailure:
    return kind(
        "It failed.", stage=stage, reason="r", host="h", port=1, source="", environment="static", traffic=traffic,
        refused=refused,
    )  # fmt: skip


def test_every_error_type_stands_there_with_its_statuses() -> None:
    special = [
        failure(errors.ProviderFailure, stage="login", traffic="auth", refused=True),
        failure(errors.ProviderFailure, stage="send", traffic="send", refused=True),
        failure(OutcomeUnknown, stage="send", traffic="send", refused=False),
        failure(errors.ProviderFailure, stage="connect", traffic="live", refused=False),
    ]
    problems = [problem for error in special if (problem := http.problem_of(error))]
    assert len(problems) == len(special)
    rows = {
        *http._TABLE.values(),
        *(row for row, _ in http._FRAMEWORK.values()),
        http._INTERNAL,
        *(problem.row for problem in problems),
    }
    real = {(row.type, int(row.status), row.bare or "the same") for row in rows}
    rows_written = [row for row in ERRORS.rows() if len(row) == 6 and row[1].isdigit()]
    written = {(code(row[0]), int(row[1]), code(row[2]) or row[2]) for row in rows_written}
    assert len(written) == len(rows_written)
    provider = {(kind, status, "the same") for kind, status, _ in real if kind == "api.provider_error"}
    assert written == {entry for entry in real if entry[0] != "api.provider_error"} | provider


def test_every_limit_stands_there_with_its_rate() -> None:
    spans = {1: "a second", 60: "a minute"}
    real = [(f"{rate.count} {spans[int(rate.seconds)]}", str(rate.burst)) for rate in RATES.values()]
    rows = [row for row in ERRORS.rows() if len(row) == 4 and row[3].isdigit()]
    assert [(row[2], row[3]) for row in rows] == real


def test_the_provider_error_object_is_shown_as_it_is() -> None:
    [example] = ERRORS.blocks("json")
    problem = http.problem_of(failure(errors.ProviderFailure, stage="connect", traffic="live", refused=False))
    assert problem is not None
    assert problem.provider_error is not None
    assert set(msgspec.json.decode(example)) == set(problem.provider_error)


def test_every_reason_of_our_own_exit_stands_there() -> None:
    raised: set[str] = set()
    for name, text in source_files().items():
        if name.startswith("egress/") or name == "net/connect.py":
            leaves = "NoSource|SourceUnavailable|SourceBusy|ProxyRefused|ResolverBusy|LedgerUnavailable"
            calls = re.findall(rf"(?:{leaves})\((.*?)\n    ", text, re.DOTALL)
            raised |= {reason for call in calls for reason in re.findall(r'reason="(\w+)"', call)}
    rows = [row for row in EGRESS.rows() if len(row) == 3 and re.fullmatch(r"`[a-z_]+`", row[0])]
    written = {code(row[0]) for row in rows}
    assert raised
    assert raised <= written
    text = "".join(source_files()[name] for name in source_files() if name.startswith(("egress/", "net/")))
    assert not [reason for reason in written if f'"{reason}"' not in text]


def test_every_stage_and_reason_of_a_server_stands_there() -> None:
    written = set(re.findall(r"`(\w+)`", ERRORS.sections()["`provider_error`"]))
    for name in ("net/errors.py", "errors.py", "grants/attempt.py", "send/failures.py"):
        text = source_files()[name]
        reasons = set(re.findall(r'\breason(?:: str)? ?= ?"(\w+)"', text)) - {"failed", "tls"}
        assert reasons <= written, (name, reasons - written)
    stages = {
        stage
        for text in source_files().values()
        for stage in re.findall(r'(?:attempt\.stage = |Attempt\([^)]*stage=)"(\w+)"', text)
    }
    assert stages
    assert stages <= written


def cited(pattern: str) -> set[str]:
    """What the package and its tests cite in this form."""
    tests = [path.read_text() for path in sorted((ROOT / "tests").rglob("*.py"))]
    return {found for text in (*source_files().values(), *tests) for found in re.findall(pattern, text)}


def test_every_rfc_that_is_cited_stands_there() -> None:
    numbers = {
        number
        for text in source_files().values()
        for first, more in re.findall(r"RFC (\d{3,5})((?:(?:,| and| or) \d{4,5})*)", text)
        for number in (first, *re.findall(r"\d+", more))
    }
    rows = document("docs/rfc.md").rows()
    written = {match[1]: row[2] for row in rows if (match := re.match(r"\[(\d+)\]", row[0]))}
    assert set(written) == numbers
    for number, verdict in written.items():
        assert verdict.startswith(("Yes", "Partial: ")), number
        assert f"/rfc{number})" in next(row[0] for row in rows if row[0].startswith(f"[{number}]"))


class Asked(dict[str, Any]):
    """Settings that remember which keys were looked for."""

    def __init__(self, known: dict[str, Any]) -> None:
        super().__init__(known)
        self.keys_asked: set[str] = set()

    def get(self, key: str, default: Any = None) -> Any:
        self.keys_asked.add(key)
        return super().get(key, default)


def test_every_key_of_an_accounts_settings_stands_there() -> None:
    least = {"imap_host": "a.test", "imap_username": "b", "imap_password": "c", "smtp_host": "a.test"}
    by_url, by_host = Asked({**least, "caldav_url": "https://a.test/"}), Asked({**least, "caldav_host": "a.test"})
    for settings in (by_url, by_host):
        parse_settings(settings)
    written = {row[0].strip("`") for row in document("docs/contract.md").rows() if len(row) == 4}
    assert by_url.keys_asked | by_host.keys_asked == written == set(SETTINGS)


def test_every_statement_that_is_cited_stands_there() -> None:
    spec = document("docs/spec.md")
    titles = " ".join(spec.sections())
    for section in cited(r"spec (§\d+(?:\.\d+)?)"):
        assert re.search(rf"{section}(?![.\d])", titles), section
    for statement in cited(r"\b([SB]\d{1,2}b?)\b(?=[,):. ]|\sto\s)"):
        letter, number = statement[0], int(re.sub(r"\D", "", statement))
        assert number <= {"S": 21, "B": 14}[letter], statement
    sections = {row[0] for row in document("docs/contract.md").rows()}
    for section in cited(r"contract (\d+(?:\.\d+)+)"):
        assert section in sections, section
