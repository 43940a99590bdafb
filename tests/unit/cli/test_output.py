"""How commands speak: whatever a server or a name may hold, it is shown as it is, and never takes a command down."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
import structlog
import typer
from typer.testing import CliRunner

from mooring.cli.main import cli, main
from mooring.cli.output import fail, run, show_json, show_table
from mooring.errors import ConfigError, MooringError


@pytest.fixture(autouse=True)
def logging_as_before() -> Iterator[None]:
    """A command logs to the standard error of its own time, which is closed afterwards."""
    yield
    structlog.reset_defaults()


ODD = ["[bold]x[/bold]", "[/nothing]", "\\[x]", "[AUTHENTICATIONFAILED] no", "a\\", "[link=http://x]y[/link]", "[["]


@pytest.mark.parametrize("text", ODD)
def test_a_table_shows_what_it_was_given(text: str, capsys: pytest.CaptureFixture[str]) -> None:
    show_table(("ID", "FAILURE"), [("1", text), ("2", None)], empty="nothing")
    lines = capsys.readouterr().out.splitlines()
    assert [line.split(maxsplit=1)[0] for line in lines] == ["ID", "1", "2"]
    assert lines[1].split(maxsplit=1)[1].rstrip() == text


def test_an_empty_table_is_a_sentence(capsys: pytest.CaptureFixture[str]) -> None:
    show_table(("ID",), [], empty="There is none yet.")
    assert capsys.readouterr().out == "There is none yet.\n"


@pytest.mark.parametrize("text", ODD)
def test_a_failure_is_said_as_it_is(text: str, capsys: pytest.CaptureFixture[str]) -> None:
    fail(MooringError(text, hint=text), json=False)
    said = capsys.readouterr()
    assert said.out == ""
    assert said.err.count(text) == 2


def test_a_failure_as_json_is_one_value(capsys: pytest.CaptureFixture[str]) -> None:
    fail(ConfigError("wrong [x]", hint="do"), json=True)
    said = capsys.readouterr()
    assert json.loads(said.out) == {"error": {"type": "ConfigError", "message": "wrong [x]", "hint": "do"}}
    assert said.out.count("\n") == 1
    assert said.err == ""


def test_json_is_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    show_json({"a": "line\nline", "b": "ü"})
    assert json.loads(capsys.readouterr().out) == {"a": "line\nline", "b": "ü"}


def test_work_that_fails_ends_with_a_status_and_a_sentence(capsys: pytest.CaptureFixture[str]) -> None:
    async def work() -> None:
        raise ConfigError("wrong")

    with pytest.raises(typer.Exit) as ended:
        run(work())
    assert ended.value.exit_code == 1
    assert "error: wrong" in capsys.readouterr().err


def test_what_work_returns_is_returned() -> None:
    async def work() -> int:
        return 5

    assert run(work()) == 5


@pytest.mark.parametrize(
    "command", ["api", "worker", "grant list x", "app list", "keys rotate", "egress list", "egress check"]
)
@pytest.mark.parametrize("written", [None, "[server\n", "[nonsense]\n"])
def test_a_configuration_that_cannot_be_read_is_no_traceback(command: str, written: str | None, tmp_path: Path) -> None:
    path = tmp_path / "mooring.toml"
    if written is not None:
        path.write_text(written)
    ended = CliRunner().invoke(cli, [*command.split(), "--config", str(path), "--json"])
    assert ended.exit_code == 1
    assert isinstance(ended.exception, SystemExit)
    assert json.loads(ended.stdout)["error"]["type"] == "ConfigError"


UNREADABLE = [
    ("nothing",),
    ("app", "create"),
    ("app", "create", "--name", "x", "--generation", "v4"),
    ("app", "set-static-ips", "x", "maybe"),
    ("egress", "explain", "x", "--traffic", "none"),
]


@pytest.mark.parametrize("words", UNREADABLE, ids=" ".join)
def test_a_command_line_that_cannot_be_read_is_a_failure_as_json(
    words: tuple[str, ...], capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as ended:
        main([*words, "--json"])
    said = capsys.readouterr()
    assert (ended.value.code, said.err) == (2, "")
    assert json.loads(said.out)["error"]["type"] in {"UsageError", "BadParameter", "MissingParameter"}
