"""Tokens: reserving, signing, recording and checking them."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy.orm import Session

from sso import store
from sso.core import access_token, id_token, scopes, sessions
from sso.core.access_token import AccessToken
from sso.core.clients import Client, GrantType
from sso.core.errors import OAuthError, OAuthErrorCode
from sso.core.jose import TokenType
from sso.core.token import (
    CodeRedemption,
    IssuedCode,
    authenticate_client,
    check_redemption,
    client_scopes,
    presented_client,
    read_grant_type,
    read_redemption,
)
from sso.keyring import Keyring
from sso.logins import Logins
from sso.models import TokenRow, UserRow
from sso.settings import SsoSettings
from trustcore import audit
from trustcore.database import Database
from trustcore.errors import UnauthenticatedError

__all__ = ["Tokens", "userinfo_claims"]

_JTI_BYTES = 16


@dataclass(frozen=True, slots=True, kw_only=True)
class _Reservation:
    client: Client
    jti: str
    scopes: frozenset[str]
    issued_code: IssuedCode | None


class Tokens:
    """Use cases about access and ID tokens."""

    def __init__(  # noqa: PLR0917 - made in one place, by the service
        self, database: Database, keyring: Keyring, logins: Logins, clock: Callable[[], datetime],
        random: Callable[[int], bytes], settings: SsoSettings,
    ) -> None:  # fmt: skip
        self._database = database
        self._keyring = keyring
        self._logins = logins
        self._clock = clock
        self._random = random
        self._settings = settings

    def issue(self, parameters: Mapping[str, str], *, authorization: str | None) -> Mapping[str, object]:
        """Answer a token request: reserve, sign, record.

        Raises:
            OAuthError: RFC 6749 §5.2.
        """
        presented = presented_client(authorization, parameters)
        now = self._clock()
        with self._database.transaction() as session:
            client = authenticate_client(store.client_by_id(session, presented.client_id), presented)
            grant_type = read_grant_type(client, parameters)
            if grant_type is GrantType.AUTHORIZATION_CODE:
                reservation = self._redeem(session, client, read_redemption(parameters), now)
            else:
                reservation = self._reserve(session, client, client_scopes(client, parameters), None, now)
        if reservation is None:
            raise OAuthError(
                OAuthErrorCode.INVALID_GRANT, "The code cannot be redeemed.", code="sso.token.code-refused"
            )
        response = self._sign(reservation, now)
        with self._database.transaction() as session:
            store.mark_token_issued(session, reservation.jti, now=self._clock())
            audit.record(
                session, at=now, actor=f"client:{client.client_id}", action="sso.token.issued",
                subject=reservation.jti, facts={"scope": " ".join(sorted(reservation.scopes)), "grant": grant_type},
            )  # fmt: skip
        return response

    def read(self, authorization: str | None, *, audience: str) -> tuple[AccessToken, UserRow | None]:
        """The live access token of an ``Authorization: Bearer`` header, and its person where it has one.

        Raises:
            UnauthenticatedError: ``auth.token.*``.
        """
        scheme, _, credentials = (authorization or "").partition(" ")
        if scheme.lower() != "bearer" or not credentials:
            raise UnauthenticatedError("A bearer token is needed.", code="auth.token.missing")
        now = self._clock()
        token = access_token.read(
            credentials.strip(), self._keyring.public_keys, issuer=self._settings.issuer, audience=audience, now=now
        )
        with self._database.transaction() as session:
            row = store.token_by_jti(session, token.jti)
            client = store.client_by_id(session, token.client_id)
            found = None if row is None or row.sid is None else store.session_by_sid(session, row.sid)
        if row is None or row.issued_at is None or row.revoked_at is not None or client is None:
            raise _revoked()
        if row.sid is None:
            return token, None
        if found is None or found[0].ended_at is not None or found[1].disabled_at is not None:
            raise _revoked()
        return token, found[1]

    def _redeem(
        self, session: Session, client: Client, redemption: CodeRedemption, now: datetime
    ) -> _Reservation | None:
        """Use a code up. ``None`` for one that was used before: what it was redeemed for is revoked (RFC 9700 §4.5)."""
        digest = sessions.stored_form(redemption.code)
        issued = store.code_by_digest(session, digest)
        if issued is not None and issued.client_id == client.client_id and issued.used_at is not None:
            self._revoke_reused(session, issued, digest, now)
            return None
        issued = check_redemption(issued, redemption, client=client, now=now)
        login = store.session_by_sid(session, issued.sid)
        if login is None or not self._logins.is_live(*login, now=now):
            return None
        if not store.claim_code(session, digest, now=now):
            self._revoke_reused(session, issued, digest, now)
            return None
        return self._reserve(session, client, issued.scopes, issued, now, code_digest=digest)

    def _revoke_reused(self, session: Session, issued: IssuedCode, code_digest: str, now: datetime) -> None:
        revoked = store.revoke_tokens_of_code(session, code_digest, now=now)
        audit.record(
            session, at=now, actor=f"client:{issued.client_id}", action="sso.code.reused",
            subject=issued.subject, facts={"sid": issued.sid, "revoked": str(revoked)},
        )  # fmt: skip

    def _reserve(  # noqa: PLR0917 - private, one caller per grant
        self, session: Session, client: Client, granted: frozenset[str], issued: IssuedCode | None, now: datetime,
        code_digest: str | None = None,
    ) -> _Reservation:  # fmt: skip
        jti = sessions.opaque(self._random(_JTI_BYTES))
        lifetime = self._settings.application_token_lifetime if issued is None else self._settings.access_token_lifetime
        row = TokenRow(
            jti=jti,
            client_id=client.client_id,
            sid=None if issued is None else issued.sid,
            code_digest=code_digest,
            reserved_at=now,
            expires_at=now + lifetime,
        )
        store.add(session, row)
        audit.record(
            session, at=now, actor=f"client:{client.client_id}", action="sso.token.reserved", subject=jti,
            facts={"sid": row.sid} if row.sid else {},
        )  # fmt: skip
        return _Reservation(client=client, jti=jti, scopes=granted, issued_code=issued)

    def _sign(self, reservation: _Reservation, now: datetime) -> dict[str, object]:
        settings, issued, client_id = self._settings, reservation.issued_code, reservation.client.client_id
        is_application = issued is None
        lifetime = settings.application_token_lifetime if is_application else settings.access_token_lifetime
        access = access_token.claims(
            issuer=settings.issuer,
            audience=settings.audience if is_application else settings.issuer,
            subject=client_id if issued is None else issued.subject,
            client_id=client_id,
            scopes=reservation.scopes,
            jti=reservation.jti,
            now=now,
            lifetime=lifetime,
        )
        response: dict[str, object] = {
            "token_type": "Bearer",
            "expires_in": int(lifetime.total_seconds()),
            "scope": " ".join(sorted(reservation.scopes)),
        }
        if issued is None:
            (signed,) = self._keyring.sign((TokenType.ACCESS_TOKEN, access))
            return response | {"access_token": signed}
        access |= {"sid": issued.sid, "auth_time": int(issued.auth_time.timestamp())}
        identity = id_token.claims(
            issuer=settings.issuer,
            subject=issued.subject,
            client_id=client_id,
            sid=issued.sid,
            nonce=issued.nonce,
            auth_time=issued.auth_time,
            now=now,
            lifetime=settings.id_token_lifetime,
        )
        signed, signed_identity = self._keyring.sign((TokenType.ACCESS_TOKEN, access), (TokenType.ID_TOKEN, identity))
        return response | {"access_token": signed, "id_token": signed_identity}


def userinfo_claims(token: AccessToken, user: UserRow) -> dict[str, object]:
    """What the scopes of a token let its bearer know of the person (OpenID Connect Core 1.0 §5.3.2, §5.4)."""
    claims: dict[str, object] = {"sub": user.id}
    if scopes.PROFILE in token.scopes:
        claims |= {"name": user.display_name, "preferred_username": user.username}
    if scopes.ROLES in token.scopes:
        claims["roles"] = list(user.roles)
    return claims


def _revoked() -> UnauthenticatedError:
    return UnauthenticatedError("The access token is not valid here.", code="auth.token.revoked")
