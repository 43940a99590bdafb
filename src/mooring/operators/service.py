"""Who signs in to the dashboard: making them, their passwords, and their sessions."""

from datetime import timedelta

from mooring.applications import Applications
from mooring.clock import Clock
from mooring.errors import InvalidRequest, NotFound, Unauthorized
from mooring.ids import new_id, new_secret
from mooring.operators import repository
from mooring.operators.attempts import Attempts
from mooring.operators.errors import WrongPassword
from mooring.operators.passwords import Passwords
from mooring.operators.types import Operator, Role
from mooring.store import Database
from mooring.vault import hash_api_key

SESSION_LIFE = timedelta(hours=12)
"""A working day: then the password is asked for again."""
LONGEST_NAME = 200
"""Characters; an e-mail address has at most 254, and nobody's has more than this."""


class Operators:
    """Makes people known, and knows them again."""

    def __init__(self, db: Database, applications: Applications, clock: Clock, passwords: Passwords) -> None:
        self._db = db
        self._applications = applications
        self._attempts = Attempts(clock)
        self._passwords = passwords

    async def create(self, *, name: str, password: str, application_id: str | None = None) -> Operator:
        """Somebody new: an operator, or the administrator of one application.

        Raises:
            InvalidRequest: the name cannot be one, or the password is too short.
            NotFound: there is no such application.
            Conflict: the name is taken.
        """
        name = _checked(name)
        if application_id is not None:
            await self._applications.get(application_id)
        return await repository.insert(
            self._db,
            operator_id=new_id(),
            name=name,
            role=Role.OPERATOR if application_id is None else Role.ADMIN,
            application_id=application_id,
            password=await self._passwords.hash(password),
        )

    async def every(self) -> list[Operator]:
        """All of them, oldest first."""
        return await repository.every(self._db)

    async def find(self, name: str) -> Operator:
        """Raises: NotFound."""
        name = name.strip()
        found = await repository.by_name(self._db, name) if _is_name(name) else None
        if found is None:
            raise NotFound(f"There is no operator {name!r}.", hint="`mooring operator list` shows them.")
        return found[0]

    async def delete(self, name: str) -> Operator:
        """Somebody who signs in no more, from this moment on.

        Raises:
            NotFound.
        """
        operator = await self.find(name)
        await repository.delete(self._db, operator.id)
        return operator

    async def change_password(self, name: str, password: str) -> Operator:
        """Give another password; whoever is signed in by the old one no longer is.

        Raises:
            NotFound, InvalidRequest.
        """
        operator = await self.find(name)
        hashed = await self._passwords.hash(password)
        async with self._db.transaction() as tx:
            await repository.set_password(tx, operator.id, hashed)
            await repository.end_sessions(tx, operator.id)
        return operator

    async def sign_in(self, name: str, password: str, *, address: str) -> str:
        """The token of a new session, which only its owner has: its SHA-256 is stored.

        Args:
            address: where the attempt comes from; failures are counted by it.

        Raises:
            WrongPassword: nobody has this name and this password; it takes as long for either.
            TooManyAttempts: nothing was looked up.
        """
        name = name.strip()
        with self._attempts.attempt(address, name.lower()[:LONGEST_NAME]):
            # No name holds what PostgreSQL would refuse, and it takes its time all the same.
            found = await repository.by_name(self._db, name) if _is_name(name) else None
            stored = found[1] if found is not None else None
            if not await self._passwords.matches(stored, password) or found is None or stored is None:
                raise _wrong()
            token = new_secret()
            if not await repository.insert_session(self._db, hash_api_key(token), found[0].id, stored, SESSION_LIFE):
                raise _wrong()
        if self._passwords.is_outdated(stored):
            await repository.replace_password(self._db, found[0].id, stored, await self._passwords.renew(password))
        return token

    async def by_session(self, token: str) -> Operator:
        """Whose session this is.

        Raises:
            Unauthorized: nobody's, or it has ended.
        """
        operator = await repository.by_session(self._db, hash_api_key(token))
        if operator is None:
            raise Unauthorized("You are not signed in, or your session has ended.", hint="Sign in.")
        return operator

    async def sign_out(self, token: str) -> None:
        """End this session."""
        await repository.end_session(self._db, hash_api_key(token))


def _is_name(name: str) -> bool:
    """Whether somebody can be called so: printable, on one line."""
    return 0 < len(name) <= LONGEST_NAME and name.isprintable()


def _checked(name: str) -> str:
    name = name.strip()
    if not _is_name(name):
        raise InvalidRequest(
            f"{name[:40]!r} cannot be a name.", hint=f"Use an e-mail address, or 1 to {LONGEST_NAME} printable letters."
        )
    return name


def _wrong() -> WrongPassword:
    return WrongPassword("Nobody has this name and this password.", hint="Check both, and try again.")
