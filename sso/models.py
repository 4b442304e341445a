"""Tables of single sign-on. What opens something (codes, sessions, secrets, passwords) is kept as a digest only."""

from datetime import datetime

from sqlalchemy import JSON, ForeignKey, Integer, String, Text
from sqlalchemy.orm import Mapped, mapped_column

from trustcore.database import Model, UtcDateTime

__all__ = ["ClientRow", "CodeRow", "LoginAttemptRow", "PortalSessionRow", "SessionRow", "TokenRow", "UserRow"]

_DIGEST = String(64)
"""SHA-256, hexadecimal."""
_OPAQUE = String(64)
_CLIENT_ID = String(64)


class UserRow(Model):
    """A person who can log in."""

    __tablename__ = "sso_user"

    id: Mapped[str] = mapped_column(_OPAQUE, primary_key=True)
    """``sub``: random, says nothing of the person, never given to another one."""
    username: Mapped[str] = mapped_column(String(64), unique=True)
    """Lower case."""
    display_name: Mapped[str] = mapped_column(String(100))
    password_hash: Mapped[str] = mapped_column(String(200))
    """Argon2id, PHC string format."""
    password_expires_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    """Set for a one-time password: until then its owner may choose another one with it, and nothing else."""
    roles: Mapped[list[str]] = mapped_column(JSON)
    created_at: Mapped[datetime] = mapped_column(UtcDateTime)
    disabled_at: Mapped[datetime | None] = mapped_column(UtcDateTime)


class ClientRow(Model):
    """An application."""

    __tablename__ = "sso_client"

    client_id: Mapped[str] = mapped_column(_CLIENT_ID, primary_key=True)
    name: Mapped[str] = mapped_column(String(100))
    secret_digest: Mapped[str | None] = mapped_column(_DIGEST)
    """Null for a public client."""
    redirect_uris: Mapped[list[str]] = mapped_column(JSON)
    post_logout_redirect_uris: Mapped[list[str]] = mapped_column(JSON)
    scopes: Mapped[list[str]] = mapped_column(JSON)
    grant_types: Mapped[list[str]] = mapped_column(JSON)
    created_at: Mapped[datetime] = mapped_column(UtcDateTime)
    disabled_at: Mapped[datetime | None] = mapped_column(UtcDateTime)


class SessionRow(Model):
    """A login in one browser."""

    __tablename__ = "sso_session"

    id_digest: Mapped[str] = mapped_column(_DIGEST, primary_key=True)
    """Of the cookie's value."""
    sid: Mapped[str] = mapped_column(_OPAQUE, unique=True)
    """The name by which tokens speak of this session; opens nothing."""
    user_id: Mapped[str] = mapped_column(ForeignKey("sso_user.id"), index=True)
    auth_time: Mapped[datetime] = mapped_column(UtcDateTime)
    last_seen_at: Mapped[datetime] = mapped_column(UtcDateTime)
    ended_at: Mapped[datetime | None] = mapped_column(UtcDateTime)


class CodeRow(Model):
    """An authorization code."""

    __tablename__ = "sso_code"

    code_digest: Mapped[str] = mapped_column(_DIGEST, primary_key=True)
    client_id: Mapped[str] = mapped_column(ForeignKey("sso_client.client_id"))
    redirect_uri: Mapped[str] = mapped_column(Text)
    code_challenge: Mapped[str] = mapped_column(String(43))
    user_id: Mapped[str] = mapped_column(ForeignKey("sso_user.id"))
    sid: Mapped[str] = mapped_column(_OPAQUE)
    scopes: Mapped[list[str]] = mapped_column(JSON)
    nonce: Mapped[str | None] = mapped_column(Text)
    auth_time: Mapped[datetime] = mapped_column(UtcDateTime)
    expires_at: Mapped[datetime] = mapped_column(UtcDateTime, index=True)
    used_at: Mapped[datetime | None] = mapped_column(UtcDateTime)


class TokenRow(Model):
    """An access token: reserved before it is signed, so that none is in the world that is not known here."""

    __tablename__ = "sso_token"

    jti: Mapped[str] = mapped_column(_OPAQUE, primary_key=True)
    client_id: Mapped[str] = mapped_column(ForeignKey("sso_client.client_id"), index=True)
    sid: Mapped[str | None] = mapped_column(_OPAQUE, index=True)
    """The login it belongs to; null for an application's own token."""
    code_digest: Mapped[str | None] = mapped_column(_DIGEST, index=True)
    """The code that was redeemed for it."""
    reserved_at: Mapped[datetime] = mapped_column(UtcDateTime)
    issued_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    """Null until it is signed."""
    expires_at: Mapped[datetime] = mapped_column(UtcDateTime, index=True)
    revoked_at: Mapped[datetime | None] = mapped_column(UtcDateTime)


class LoginAttemptRow(Model):
    """Failed logins of one account or network address."""

    __tablename__ = "sso_login_attempt"

    key: Mapped[str] = mapped_column(String(100), primary_key=True)
    failures: Mapped[int] = mapped_column(Integer)
    last_failure_at: Mapped[datetime] = mapped_column(UtcDateTime, index=True)
    blocked_until: Mapped[datetime] = mapped_column(UtcDateTime)


class PortalSessionRow(Model):
    """A login at the product's own pages, which are a client like any other."""

    __tablename__ = "sso_portal_session"

    id_digest: Mapped[str] = mapped_column(_DIGEST, primary_key=True)
    """Of the cookie's value."""
    sid: Mapped[str] = mapped_column(_OPAQUE, index=True)
    """The session at the provider that it grew from, and ends with."""
    subject: Mapped[str] = mapped_column(_OPAQUE)
    username: Mapped[str] = mapped_column(String(64))
    display_name: Mapped[str] = mapped_column(String(100))
    roles: Mapped[list[str]] = mapped_column(JSON)
    id_token: Mapped[str] = mapped_column(Text)
    """To be shown at logout; holds no personal data."""
    auth_time: Mapped[datetime] = mapped_column(UtcDateTime)
    last_seen_at: Mapped[datetime] = mapped_column(UtcDateTime)
    ended_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
