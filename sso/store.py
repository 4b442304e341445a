"""Every query of single sign-on.

Verbs that must happen once (``claim_code``, ``reserve_attempt``, ``replace_password``) are one conditional UPDATE each,
so that of any number of parallel callers one succeeds.
"""

from datetime import datetime
from typing import Any, cast

from sqlalchemy import CursorResult, Delete, Select, Update, case, delete, or_, select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from sso.core.clients import Client, GrantType
from sso.core.throttle import Throttle, delay_after
from sso.core.token import IssuedCode
from sso.models import ClientRow, CodeRow, LoginAttemptRow, PortalSessionRow, SessionRow, TokenRow, UserRow

__all__ = [
    "add",
    "change_client",
    "claim_code",
    "client_by_id",
    "clients",
    "code_by_digest",
    "disable_client",
    "disable_user",
    "end_session",
    "end_sessions_of",
    "forget_attempts",
    "forgive_attempt",
    "mark_token_issued",
    "portal_session",
    "purge",
    "replace_password",
    "reserve_attempt",
    "revoke_tokens_of_code",
    "session_by_digest",
    "session_by_sid",
    "token_by_jti",
    "touch",
    "user_by_id",
    "user_by_username",
    "users",
]


def add(session: Session, row: ClientRow | CodeRow | PortalSessionRow | SessionRow | TokenRow | UserRow) -> None:
    """Insert a row now. Raises ``sqlalchemy.exc.IntegrityError`` where its name is taken."""
    session.add(row)
    session.flush()


def user_by_id(session: Session, user_id: str) -> UserRow | None:
    """The person with this ``sub``, disabled or not."""
    return session.get(UserRow, user_id)


def user_by_username(session: Session, username: str) -> UserRow | None:
    """The person with this name, disabled or not; case does not count."""
    return session.scalars(select(UserRow).where(UserRow.username == username.casefold())).first()


def users(session: Session, *, after: str = "", limit: int = 50) -> list[UserRow]:
    """People in the order of their names, those after ``after``."""
    query = select(UserRow).where(UserRow.username > after).order_by(UserRow.username).limit(limit)
    return list(session.scalars(query))


def replace_password(
    session: Session, user_id: str, *, old_hash: str, new_hash: str, expires_at: datetime | None
) -> bool:
    """Set a password, unless it has been changed since ``old_hash`` was read."""
    return _changed_one(
        session,
        update(UserRow)
        .where(UserRow.id == user_id, UserRow.password_hash == old_hash)
        .values(password_hash=new_hash, password_expires_at=expires_at),
    )


def disable_user(session: Session, user_id: str, *, now: datetime) -> bool:
    """Stop a person from logging in; ``False`` when that had been done."""
    query = update(UserRow).where(UserRow.id == user_id, UserRow.disabled_at.is_(None))
    return _changed_one(session, query.values(disabled_at=now))


def client_by_id(session: Session, client_id: str) -> Client | None:
    """A registered client that is not disabled."""
    row = session.get(ClientRow, client_id)
    return None if row is None or row.disabled_at is not None else _client(row)


def clients(session: Session, *, after: str = "", limit: int = 50) -> list[Client]:
    """Clients in the order of their identifiers, those after ``after``; disabled ones are left out."""
    query = select(ClientRow).where(ClientRow.client_id > after, ClientRow.disabled_at.is_(None))
    return [_client(row) for row in session.scalars(query.order_by(ClientRow.client_id).limit(limit))]


def change_client(
    session: Session,
    client_id: str,
    *,
    redirect_uris: tuple[str, ...],
    post_logout_redirect_uris: tuple[str, ...],
    scopes: frozenset[str],
) -> None:
    """Replace what a client may do and where it is."""
    session.execute(
        update(ClientRow)
        .where(ClientRow.client_id == client_id)
        .values(
            redirect_uris=list(redirect_uris),
            post_logout_redirect_uris=list(post_logout_redirect_uris),
            scopes=sorted(scopes),
        )
    )


def disable_client(session: Session, client_id: str, *, now: datetime) -> bool:
    """Stop a client; ``False`` when there was none to stop."""
    query = update(ClientRow).where(ClientRow.client_id == client_id, ClientRow.disabled_at.is_(None))
    return _changed_one(session, query.values(disabled_at=now))


def session_by_digest(session: Session, id_digest: str) -> tuple[SessionRow, UserRow] | None:
    """A session and its person, ended or not."""
    return _session(session, select(SessionRow, UserRow).where(SessionRow.id_digest == id_digest))


def session_by_sid(session: Session, sid: str) -> tuple[SessionRow, UserRow] | None:
    """A session and its person, ended or not, by the name that tokens use."""
    return _session(session, select(SessionRow, UserRow).where(SessionRow.sid == sid))


def touch(session: Session, row: SessionRow | PortalSessionRow, *, now: datetime) -> None:
    """Remember that a session is in use."""
    row.last_seen_at = now
    session.flush()


def end_session(session: Session, sid: str, *, now: datetime) -> bool:
    """End a session, and with it all tokens and portal sessions that name it; ``False`` when it had ended."""
    query = update(SessionRow).where(SessionRow.sid == sid, SessionRow.ended_at.is_(None))
    return _changed_one(session, query.values(ended_at=now))


def end_sessions_of(session: Session, user_id: str, *, now: datetime) -> None:
    """End all sessions of a person."""
    open_ones = select(SessionRow.sid).where(SessionRow.user_id == user_id, SessionRow.ended_at.is_(None))
    for sid in session.scalars(open_ones).all():
        end_session(session, sid, now=now)


def code_by_digest(session: Session, code_digest: str) -> IssuedCode | None:
    """What was remembered of a code."""
    row = session.get(CodeRow, code_digest)
    if row is None:
        return None
    return IssuedCode(
        client_id=row.client_id,
        redirect_uri=row.redirect_uri,
        code_challenge=row.code_challenge,
        subject=row.user_id,
        sid=row.sid,
        scopes=frozenset(row.scopes),
        nonce=row.nonce,
        auth_time=row.auth_time,
        expires_at=row.expires_at,
        used_at=row.used_at,
    )


def claim_code(session: Session, code_digest: str, *, now: datetime) -> bool:
    """Use a code up; ``False`` for everyone but the first."""
    query = update(CodeRow).where(CodeRow.code_digest == code_digest, CodeRow.used_at.is_(None))
    return _changed_one(session, query.values(used_at=now))


def revoke_tokens_of_code(session: Session, code_digest: str, *, now: datetime) -> int:
    """Revoke all tokens that a code was redeemed for; how many there were."""
    query = update(TokenRow).where(TokenRow.code_digest == code_digest, TokenRow.revoked_at.is_(None))
    return _row_count(session, query.values(revoked_at=now))


def token_by_jti(session: Session, jti: str) -> TokenRow | None:
    """What is known of an access token."""
    return session.get(TokenRow, jti)


def mark_token_issued(session: Session, jti: str, *, now: datetime) -> None:
    """Record that a reserved token has been signed."""
    session.execute(update(TokenRow).where(TokenRow.jti == jti).values(issued_at=now))


def reserve_attempt(session: Session, key: str, rule: Throttle, *, now: datetime) -> datetime | None:
    """Count a login as failed before it is tried.

    Counting first means that parallel guesses cannot all be tried before any of them is counted;
    :func:`forgive_attempt` takes a right one back.

    Returns:
        ``None`` where the login may be tried, else when it may.
    """
    for _ in range(2):
        failures = _count_failure(session, key, rule, now)
        if failures is not None:
            until = now + delay_after(failures, rule)
            session.execute(update(LoginAttemptRow).where(LoginAttemptRow.key == key).values(blocked_until=until))
            return None
        blocked = session.scalars(select(LoginAttemptRow.blocked_until).where(LoginAttemptRow.key == key)).first()
        if blocked is not None:
            return blocked
        try:
            with session.begin_nested():
                session.add(LoginAttemptRow(key=key, failures=0, last_failure_at=now, blocked_until=now))
        except IntegrityError:
            continue  # somebody else was the first; count on that row
    return now


def _count_failure(session: Session, key: str, rule: Throttle, now: datetime) -> int | None:
    counted = case(
        (LoginAttemptRow.last_failure_at < now - rule.forgotten_after, 1), else_=LoginAttemptRow.failures + 1
    )
    query = (
        update(LoginAttemptRow)
        .where(LoginAttemptRow.key == key, LoginAttemptRow.blocked_until <= now)
        .values(failures=counted, last_failure_at=now)
        .returning(LoginAttemptRow.failures)
        .execution_options(synchronize_session=False)
    )
    return session.scalars(query).first()


def forgive_attempt(session: Session, key: str, *, now: datetime) -> None:
    """Take one counted attempt back, because it was right."""
    query = update(LoginAttemptRow).where(LoginAttemptRow.key == key, LoginAttemptRow.failures > 0)
    session.execute(query.values(failures=LoginAttemptRow.failures - 1, blocked_until=now))


def forget_attempts(session: Session, key: str) -> None:
    """Start counting anew."""
    session.execute(delete(LoginAttemptRow).where(LoginAttemptRow.key == key))


def portal_session(session: Session, id_digest: str) -> tuple[PortalSessionRow, SessionRow, UserRow] | None:
    """A login at our own pages, the provider's session that it grew from, and the person."""
    query = (
        select(PortalSessionRow, SessionRow, UserRow)
        .join(SessionRow, SessionRow.sid == PortalSessionRow.sid)
        .join(UserRow, UserRow.id == SessionRow.user_id)
        .where(PortalSessionRow.id_digest == id_digest)
    )
    found = session.execute(query).first()
    return None if found is None else (found[0], found[1], found[2])


def purge(session: Session, *, before: datetime) -> int:
    """Delete what has been without effect since ``before``; how many rows."""
    return sum(
        _row_count(session, statement)
        for statement in (
            delete(CodeRow).where(CodeRow.expires_at < before),
            delete(TokenRow).where(TokenRow.expires_at < before),
            delete(PortalSessionRow).where(
                or_(PortalSessionRow.ended_at < before, PortalSessionRow.last_seen_at < before)
            ),
            delete(SessionRow).where(or_(SessionRow.ended_at < before, SessionRow.last_seen_at < before)),
            delete(LoginAttemptRow).where(
                LoginAttemptRow.last_failure_at < before, LoginAttemptRow.blocked_until < before
            ),
        )
    )


def _client(row: ClientRow) -> Client:
    return Client(
        client_id=row.client_id,
        name=row.name,
        secret_digest=row.secret_digest,
        redirect_uris=tuple(row.redirect_uris),
        post_logout_redirect_uris=tuple(row.post_logout_redirect_uris),
        scopes=frozenset(row.scopes),
        grant_types=frozenset(GrantType(value) for value in row.grant_types),
    )


def _session(session: Session, query: Select[SessionRow, UserRow]) -> tuple[SessionRow, UserRow] | None:
    found = session.execute(query.join(UserRow, UserRow.id == SessionRow.user_id)).first()
    return None if found is None else (found[0], found[1])


def _changed_one(session: Session, statement: Update) -> bool:
    return _row_count(session, statement) == 1


def _row_count(session: Session, statement: Update | Delete) -> int:
    return cast("CursorResult[Any]", session.execute(statement)).rowcount
