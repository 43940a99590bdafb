"""``mooring operator``: who signs in to the dashboard."""

import getpass
import sys
from typing import Annotated

import typer

from mooring.bootstrap import open_installation
from mooring.cli.output import DEFAULT_CONFIG, ConfigPath, Json, console, read_config, run, show_json, show_table
from mooring.errors import InvalidRequest
from mooring.operators import Operator

cli = typer.Typer(help="The dashboard's people: make them, list them, change a password.", no_args_is_help=True)

Name = Annotated[str, typer.Argument(help="A name or an e-mail address, to sign in with.")]
PasswordStdin = Annotated[
    bool, typer.Option("--password-stdin", help="Take the password from the first line of standard input.")
]


@cli.command("create")
def create(
    name: Name,
    application: Annotated[
        str | None, typer.Option(help="Make an administrator of this application alone, by its id.")
    ] = None,
    password_stdin: PasswordStdin = False,
    json: Json = False,
    config: ConfigPath = DEFAULT_CONFIG,
) -> None:
    """Make somebody who signs in to the dashboard: an operator, or an administrator of one application."""

    async def work() -> Operator:
        password = _password(from_stdin=password_stdin)
        async with open_installation(read_config(config), environments=[]) as installation:
            return await installation.operators.create(name=name, password=password, application_id=application)

    made = run(work(), json=json)
    if json:
        show_json(_as_json(made))
    else:
        console.print(f"{made.name} can sign in at /dashboard.", markup=False)


@cli.command("list")
def list_operators(json: Json = False, config: ConfigPath = DEFAULT_CONFIG) -> None:
    """List everybody who can sign in to the dashboard."""

    async def work() -> list[Operator]:
        async with open_installation(read_config(config), environments=[]) as installation:
            return await installation.operators.every()

    operators = run(work(), json=json)
    if json:
        show_json([_as_json(operator) for operator in operators])
        return
    show_table(
        ("NAME", "ROLE", "APPLICATION", "SINCE (UTC)"),
        [(o.name, o.role, o.application_id or "all", f"{o.created_at:%Y-%m-%d %H:%M:%S}") for o in operators],
        empty="Nobody can sign in yet. `mooring operator create NAME` makes the first operator.",
    )


@cli.command("delete")
def delete(name: Name, json: Json = False, config: ConfigPath = DEFAULT_CONFIG) -> None:
    """Let somebody sign in no more; who is signed in is signed out."""

    async def work() -> Operator:
        async with open_installation(read_config(config), environments=[]) as installation:
            return await installation.operators.delete(name)

    deleted = run(work(), json=json)
    if json:
        show_json(_as_json(deleted))
    else:
        console.print(f"{deleted.name} can no longer sign in.", markup=False)


@cli.command("password")
def password(
    name: Name, password_stdin: PasswordStdin = False, json: Json = False, config: ConfigPath = DEFAULT_CONFIG
) -> None:
    """Give somebody another password; who is signed in by the old one is signed out."""

    async def work() -> Operator:
        new = _password(from_stdin=password_stdin)
        async with open_installation(read_config(config), environments=[]) as installation:
            return await installation.operators.change_password(name, new)

    changed = run(work(), json=json)
    if json:
        show_json(_as_json(changed))
    else:
        console.print(f"{changed.name} has another password.", markup=False)


def _password(*, from_stdin: bool) -> str:
    """The password as it is typed, twice, or as another program writes it.

    Raises:
        InvalidRequest: nobody is there to be asked, or the two differ.
    """
    if from_stdin:
        return sys.stdin.readline().rstrip("\r\n")
    if not sys.stdin.isatty():
        raise InvalidRequest(
            "There is no terminal to ask for the password at.",
            hint="Write it to standard input, with --password-stdin.",
        )
    typed = getpass.getpass("Password (at least 12 characters): ")
    if getpass.getpass("Once more: ") != typed:
        raise InvalidRequest("The two passwords differ.", hint="Start again.")
    return typed


def _as_json(operator: Operator) -> dict[str, str | None]:
    return {
        "operator_id": operator.id,
        "name": operator.name,
        "role": str(operator.role),
        "application_id": operator.application_id,
    }
