"""Logging in with a password, and the sessions that come of it."""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from sqlalchemy.orm import Session

from sso import store
from sso.core import passwords, sessions, throttle
from sso.core.roles import Role
from sso.core.usernames import is_username
from sso.hashing import PasswordHasher
from sso.models import SessionRow, UserRow
from sso.settings import SsoSettings
from trustcore import audit
from trustcore.database import Database
from trustcore.errors import RejectedError

__all__ = ["Credentials", "Identified", "Logins"]

_SID_BYTES = 16
_TOUCH_EVERY = timedelta(minutes=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Credentials:
    """What a person types."""

    username: str
    password: str = field(repr=False)
    new_password: str | None = field(default=None, repr=False)
    """To replace a one-time password."""
    address: str
    """Where from, for throttling."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Identified:
    """A person whose password was right."""

    subject: str
    roles: frozenset[Role]


class Logins:
    """Use cases about sessions."""

    def __init__(
        self, database: Database, hasher: PasswordHasher, clock: Callable[[], datetime], random: Callable[[int], bytes],
        settings: SsoSettings,
    ) -> None:  # fmt: skip
        self._database = database
        self._hasher = hasher
        self._clock = clock
        self._random = random
        self._lifetime = settings.session_lifetime

    def login(self, credentials: Credentials, *, previous: str | None = None) -> str:
        """Log a person in.

        Args:
            credentials: what was typed.
            previous: the session cookie that came along; that session ends (no session fixation).

        Returns:
            The new session cookie's value.

        Raises:
            RejectedError: ``sso.login.refused`` (the same for an unknown person and a wrong password),
                ``sso.login.throttled`` (with the fact ``retry_after_seconds``), ``sso.login.password-change-required``,
                ``sso.login.one-time-password-expired``, ``sso.password.*``.
            BusyError: ``sso.login.busy``.
        """
        now = self._clock()
        user = self._prove(credentials, now)
        new_hash = self._new_hash(user, credentials, now)
        return self._open(user, new_hash, previous=previous, now=now)

    def identify(self, credentials: Credentials) -> Identified:
        """Who somebody is, without logging them in; counted, throttled and audited as a login is.

        Raises:
            RejectedError: as :meth:`login`; a one-time password proves nothing here.
            BusyError: ``sso.login.busy``.
        """
        now = self._clock()
        user = self._prove(credentials, now)
        self._new_hash(user, credentials, now)
        with self._database.transaction() as session:
            audit.record(session, at=now, actor=f"user:{user.id}", action="sso.person.identified", subject=user.id)
        return Identified(subject=user.id, roles=frozenset(Role(role) for role in user.roles))

    def current(self, session: Session, cookie: str | None, *, now: datetime) -> tuple[SessionRow, UserRow] | None:
        """The live session behind a cookie, in the caller's transaction; being asked for keeps it alive."""
        found = None if cookie is None else store.session_by_digest(session, sessions.stored_form(cookie))
        if found is None or not self.is_live(*found, now=now):
            return None
        if now - found[0].last_seen_at >= _TOUCH_EVERY:
            store.touch(session, found[0], now=now)
        return found

    def is_live(self, row: SessionRow, user: UserRow, *, now: datetime) -> bool:
        """Whether a session counts."""
        return user.disabled_at is None and sessions.is_live(
            auth_time=row.auth_time,
            last_seen_at=row.last_seen_at,
            ended_at=row.ended_at,
            lifetime=self._lifetime,
            now=now,
        )

    def _prove(self, credentials: Credentials, now: datetime) -> UserRow:
        """The person whose password this is."""
        user = self._admit(credentials, now)
        right = self._hasher.verify(None if user is None else user.password_hash, credentials.password)
        if user is None or not right:
            self._record_failure(None if user is None else user.id, now)
            raise RejectedError("The user name or the password is not right.", code="sso.login.refused")
        self._forgive(credentials, now)
        return user

    def _admit(self, credentials: Credentials, now: datetime) -> UserRow | None:
        """Count the attempt; the person it is about, where there is one who may log in."""
        with self._database.transaction() as session:
            until = store.reserve_attempt(
                session, throttle.address_key(credentials.address), throttle.ADDRESS, now=now
            ) or store.reserve_attempt(session, throttle.account_key(credentials.username), throttle.ACCOUNT, now=now)
            can_exist = not until and is_username(credentials.username)
            user = store.user_by_username(session, credentials.username) if can_exist else None
        if until:
            wait = max(1, int((until - now).total_seconds()) + 1)
            raise RejectedError(
                "There were too many failed logins; try again later.",
                code="sso.login.throttled",
                retry_after_seconds=wait,
            )
        return user if user is not None and user.disabled_at is None else None

    def _new_hash(self, user: UserRow, credentials: Credentials, now: datetime) -> str | None:
        """The hash to store from now on, where that is another one."""
        if user.password_expires_at is None:
            return self._hasher.digest(credentials.password) if self._hasher.is_outdated(user.password_hash) else None
        if now >= user.password_expires_at:
            raise RejectedError(
                "The one-time password has expired; ask an administrator for another one.",
                code="sso.login.one-time-password-expired",
            )
        if credentials.new_password is None:
            raise RejectedError(
                "A one-time password is there to choose another one.", code="sso.login.password-change-required"
            )
        if credentials.new_password == credentials.password:
            raise RejectedError("The new password is the old one.", code="sso.password.unchanged")
        passwords.check_policy(credentials.new_password, username=user.username)
        return self._hasher.digest(credentials.new_password)

    def _open(self, user: UserRow, new_hash: str | None, *, previous: str | None, now: datetime) -> str:
        cookie = sessions.opaque(self._random(sessions.TOKEN_BYTES))
        sid = sessions.opaque(self._random(_SID_BYTES))
        row = SessionRow(
            id_digest=sessions.stored_form(cookie), sid=sid, user_id=user.id, auth_time=now, last_seen_at=now
        )
        changed = user.password_expires_at is not None
        with self._database.transaction() as session:
            found = store.user_by_id(session, user.id)
            if found is None or found.password_hash != user.password_hash:  # changed while it was being checked
                raise RejectedError("The user name or the password is not right.", code="sso.login.refused")
            if new_hash is not None:
                store.replace_password(
                    session, user.id, old_hash=user.password_hash, new_hash=new_hash, expires_at=None
                )
            if changed:
                store.end_sessions_of(session, user.id, now=now)
                audit.record(
                    session, at=now, actor=f"user:{user.id}", action="sso.user.password-chosen", subject=user.id
                )
            before = None if previous is None else store.session_by_digest(session, sessions.stored_form(previous))
            if before is not None:
                store.end_session(session, before[0].sid, now=now)
            store.add(session, row)
            audit.record(
                session, at=now, actor=f"user:{user.id}", action="sso.login.succeeded", subject=user.id,
                facts={"sid": sid},
            )  # fmt: skip
        return cookie

    def _record_failure(self, user_id: str | None, now: datetime) -> None:
        with self._database.transaction() as session:
            audit.record(session, at=now, actor="anonymous", action="sso.login.failed", subject=user_id or "unknown")

    def _forgive(self, credentials: Credentials, now: datetime) -> None:
        with self._database.transaction() as session:
            store.forgive_attempt(session, throttle.address_key(credentials.address), now=now)
            store.forget_attempts(session, throttle.account_key(credentials.username))
