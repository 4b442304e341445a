"""People: adding them, giving out one-time passwords, stopping them."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from sso import store
from sso.core import sessions
from sso.core.roles import Role, check_separation
from sso.core.usernames import is_username
from sso.hashing import PasswordHasher
from sso.models import UserRow
from sso.settings import SsoSettings
from trustcore import audit
from trustcore.database import Database
from trustcore.errors import ConflictError, MalformedError, NotFoundError

__all__ = ["Accounts", "Person"]

_MAX_DISPLAY_NAME = 100
_ONE_TIME_PASSWORD_BYTES = 15
_SUBJECT_BYTES = 16


@dataclass(frozen=True, slots=True, kw_only=True)
class Person:
    """A person as administrators see one."""

    subject: str
    username: str
    display_name: str
    roles: tuple[Role, ...]
    is_disabled: bool
    created_at: datetime


class Accounts:
    """Use cases about people. ``actor`` is who asks, for the audit trail: ``user:…`` or ``cli``."""

    def __init__(
        self, database: Database, hasher: PasswordHasher, clock: Callable[[], datetime], random: Callable[[int], bytes],
        settings: SsoSettings,
    ) -> None:  # fmt: skip
        self._database = database
        self._hasher = hasher
        self._clock = clock
        self._random = random
        self._settings = settings

    def add(self, username: str, *, display_name: str, roles: Sequence[Role], actor: str) -> str:
        """Add a person.

        Returns:
            A one-time password, which lets the person choose a password of their own at the first login. It is kept
            nowhere.

        Raises:
            MalformedError: ``sso.user.name-malformed``.
            RejectedError: ``sso.user.roles-not-separate``.
            ConflictError: ``sso.user.exists``.
        """
        if not is_username(username):
            raise MalformedError(
                "A user name is 1 to 64 letters, digits or any of . _ @ -.", code="sso.user.name-malformed"
            )
        if not display_name.strip() or len(display_name) > _MAX_DISPLAY_NAME or not display_name.isprintable():
            raise MalformedError("A display name is 1 to 100 printable characters.", code="sso.user.name-malformed")
        check_separation(roles)
        password, now = self._one_time_password(), self._clock()
        row = UserRow(
            id=sessions.opaque(self._random(_SUBJECT_BYTES)),
            username=username.casefold(),
            display_name=display_name,
            password_hash=self._hasher.digest(password),
            password_expires_at=now + self._settings.one_time_password_lifetime,
            roles=sorted(set(roles)),
            created_at=now,
        )
        try:
            with self._database.transaction() as session:
                store.add(session, row)
                facts = {"roles": " ".join(row.roles)}
                audit.record(session, at=now, actor=actor, action="sso.user.added", subject=row.id, facts=facts)
        except IntegrityError as error:
            raise ConflictError("There is a user with this name already.", code="sso.user.exists") from error
        return password

    def ensure(self, username: str, *, display_name: str, roles: Sequence[Role], actor: str) -> str | None:
        """As :meth:`add`, but ``None`` where there is such a person already."""
        with self._database.transaction() as session:
            if store.user_by_username(session, username) is not None:
                return None
        try:
            return self.add(username, display_name=display_name, roles=roles, actor=actor)
        except ConflictError:
            return None

    def reset_password(self, username: str, *, actor: str) -> str:
        """Replace a forgotten password by a one-time password, and end all of the person's sessions."""
        password, now = self._one_time_password(), self._clock()
        new_hash = self._hasher.digest(password)
        with self._database.transaction() as session:
            row = _existing(session, username)
            expires_at = now + self._settings.one_time_password_lifetime
            store.replace_password(
                session, row.id, old_hash=row.password_hash, new_hash=new_hash, expires_at=expires_at
            )
            store.end_sessions_of(session, row.id, now=now)
            audit.record(session, at=now, actor=actor, action="sso.user.password-reset", subject=row.id)
        return password

    def disable(self, username: str, *, actor: str) -> None:
        """Stop a person from logging in, and end all of the person's sessions at once."""
        now = self._clock()
        with self._database.transaction() as session:
            row = _existing(session, username)
            if store.disable_user(session, row.id, now=now):
                store.end_sessions_of(session, row.id, now=now)
                audit.record(session, at=now, actor=actor, action="sso.user.disabled", subject=row.id)

    def people(self, *, after: str | None = None, limit: int = 50) -> tuple[Person, ...]:
        """People in the order of their user names; ``after`` is the last name of the page before."""
        with self._database.transaction() as session:
            return tuple(_person(row) for row in store.users(session, after=after or "", limit=limit))

    def _one_time_password(self) -> str:
        return sessions.opaque(self._random(_ONE_TIME_PASSWORD_BYTES))


def _existing(session: Session, username: str) -> UserRow:
    row = store.user_by_username(session, username)
    if row is None:
        raise NotFoundError("There is no user with this name.", code="sso.user.not-found")
    return row


def _person(row: UserRow) -> Person:
    return Person(
        subject=row.id,
        username=row.username,
        display_name=row.display_name,
        roles=tuple(Role(role) for role in row.roles),
        is_disabled=row.disabled_at is not None,
        created_at=row.created_at,
    )
