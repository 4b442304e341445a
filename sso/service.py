"""The OpenID Connect provider: what its endpoints do, without HTTP."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy.orm import Session

from sso import store
from sso.accounts import Accounts
from sso.applications import Applications, Registration
from sso.core import authorize, discovery, id_token, parameters, scopes, sessions
from sso.core.authorize import Authentication, AuthorizationRequest
from sso.core.clients import PostLogoutTarget, RedirectTarget
from sso.core.errors import OAuthError, PageError
from sso.core.jose import KeySet
from sso.core.roles import Role
from sso.hashing import PasswordHasher
from sso.keyring import Keyring
from sso.logins import Credentials, Identified, Logins
from sso.models import CodeRow, SessionRow, UserRow
from sso.settings import SsoSettings
from sso.tokens import Tokens, userinfo_claims
from trustcore import audit
from trustcore.database import Database
from trustcore.errors import UnauthenticatedError
from trustcore.signing import Keys
from trustcore.web.auth import Principal

__all__ = ["LoginNeeded", "LogoutQuestion", "Redirect", "SsoService"]

_NAMES = {
    Role.SYSTEM_ADMINISTRATOR: "系统管理员 System administrator",
    Role.SECURITY_ADMINISTRATOR: "安全管理员 Security administrator",
    Role.AUDIT_ADMINISTRATOR: "审计管理员 Audit administrator",
    Role.OPERATOR: "业务操作员 Operator",
}
_KEPT_FOR = timedelta(days=2)


@dataclass(frozen=True, slots=True, kw_only=True)
class Redirect:
    """The browser goes to a client."""

    location: str


@dataclass(frozen=True, slots=True, kw_only=True)
class LoginNeeded:
    """The person has to log in first."""

    target: RedirectTarget
    username_hint: str
    """``login_hint``: what to fill in beforehand; comes from outside."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LogoutQuestion:
    """The person has to confirm."""


class SsoService:
    """The provider. Safe to share between threads.

    Args:
        database: where everything is kept.
        keys: machines that hold the token signing key.
        clock: the present time, aware.
        random: a cryptographic source.
        settings: of this section.
    """

    def __init__(
        self, database: Database, keys: Keys, clock: Callable[[], datetime], random: Callable[[int], bytes],
        settings: SsoSettings,
    ) -> None:  # fmt: skip
        self._database = database
        self._clock = clock
        self._random = random
        self.settings = settings
        self._keyring = Keyring(
            keys, label=settings.signing_key_label, previous_labels=settings.previous_signing_key_labels
        )
        hasher = PasswordHasher(random, concurrent=settings.concurrent_password_hashes)
        self.accounts = Accounts(database, hasher, clock, random, settings)
        self.applications = Applications(database, clock, random, settings)
        self._logins = Logins(database, hasher, clock, random, settings)
        self._tokens = Tokens(database, self._keyring, self._logins, clock, random, settings)

    @property
    def issuer(self) -> str:
        """The issuer identifier, from the settings alone (RFC 9700 §4.4)."""
        return self.settings.issuer

    @property
    def public_keys(self) -> KeySet:
        """The keys that tokens are verified with."""
        return self._keyring.public_keys

    def discovery(self) -> Mapping[str, object]:
        """The metadata document (OpenID Connect Discovery 1.0 §3)."""
        return discovery.metadata(self.issuer)

    def jwks(self) -> Mapping[str, object]:
        """The JWK Set document (RFC 7517 §5)."""
        return self.public_keys.as_json()

    def ensure_administrator(self, username: str, *, role: Role = Role.SYSTEM_ADMINISTRATOR) -> str | None:
        """A one-time password for a new administrator, or ``None`` where there is a person of that name already."""
        return self.accounts.ensure(username, display_name=_NAMES[role], roles=(role,), actor="installation")

    def ensure_client(self, registration: Registration) -> str | None:
        """The secret of a new client, or ``None`` where it is registered already or is public.

        Raises:
            ConflictError: ``sso.client.differs``.
        """
        return self.applications.ensure(registration, actor="installation")

    def ensure_portal_client(
        self, client_id: str, *, redirect_paths: Sequence[str], logout_paths: Sequence[str]
    ) -> None:
        """Register the pages of this installation itself as a public client, with paths below ``public_url``."""
        public_url = self.settings.public_url
        registration = Registration(
            client_id=client_id,
            name="信印 Xinyin",
            is_public=True,
            redirect_uris=tuple(f"{public_url}{path}" for path in redirect_paths),
            post_logout_redirect_uris=tuple(f"{public_url}{path}" for path in logout_paths),
            scopes=scopes.USER_SCOPES,
        )
        self.applications.align(registration, actor="installation")

    def login(self, credentials: Credentials, *, previous: str | None) -> str:
        """Log a person in; see :meth:`sso.logins.Logins.login`."""
        return self._logins.login(credentials, previous=previous)

    def identify(self, credentials: Credentials) -> Identified:
        """Who somebody is, without a session; see :meth:`sso.logins.Logins.identify`."""
        return self._logins.identify(credentials)

    def authorize(self, query: str, *, cookie: str | None, is_fresh: bool = False) -> Redirect | LoginNeeded:
        """Answer an authorization request (OpenID Connect Core 1.0 §3.1.2).

        Args:
            query: the parameters, as ``application/x-www-form-urlencoded``.
            cookie: the session cookie's value.
            is_fresh: the person has just logged in for this very request; never taken from outside.

        Raises:
            PageError, OAuthError: refused where no redirect is allowed; both are for the person to read.
        """
        sent = parameters.parse(query)
        hinted = self._read_hint(sent)
        now = self._clock()
        with self._database.transaction() as session:
            client = store.client_by_id(session, sent.get("client_id", ""))
            target = authorize.resolve_target(client, sent)
            try:
                subject = authorize.read_subject_hint(sent, hinted)
                request = authorize.read_request(target, sent, subject_hint=subject)
                found = self._logins.current(session, cookie, now=now)
                person = None if found is None else _authentication(*found, is_fresh=is_fresh)
                if authorize.needs_login(request, person, now=now) or person is None:
                    return LoginNeeded(target=target, username_hint=sent.get("login_hint", "")[:64])
            except OAuthError as error:
                state = sent.get("state")
                return Redirect(location=authorize.error_location(target, error, state=state, issuer=self.issuer))
            code = self._issue_code(session, request, person, now)
        return Redirect(location=authorize.success_location(request, code=code, issuer=self.issuer))

    def token(self, form: str, *, authorization: str | None) -> Mapping[str, object]:
        """Answer a token request (RFC 6749 §4.1.3, §4.4.2).

        Raises:
            OAuthError: RFC 6749 §5.2.
        """
        return self._tokens.issue(parameters.parse(form), authorization=authorization)

    def userinfo(self, authorization: str | None) -> Mapping[str, object]:
        """Claims about the person a token was issued for (OpenID Connect Core 1.0 §5.3).

        Raises:
            UnauthenticatedError: ``auth.token.*``.
        """
        token, user = self._tokens.read(authorization, audience=self.issuer)
        if user is None:
            raise UnauthenticatedError("The access token is not a person's.", code="auth.token.subject")
        return userinfo_claims(token, user)

    def authenticate(self, authorization: str | None) -> Principal:
        """The application behind a bearer token for the interfaces (:class:`trustcore.web.auth.Authenticator`).

        Raises:
            UnauthenticatedError: ``auth.token.*``.
        """
        token, user = self._tokens.read(authorization, audience=self.settings.audience)
        if user is not None:
            raise UnauthenticatedError("The access token is not an application's.", code="auth.token.subject")
        return Principal(subject=token.client_id, kind="application", scopes=token.scopes)

    def logout(self, query: str, *, cookie: str | None, is_confirmed: bool) -> Redirect | LogoutQuestion | None:
        """Answer a logout request (OpenID Connect RP-Initiated Logout 1.0 §2, §3). Doing it twice changes nothing.

        A valid ``id_token_hint`` of the session at hand, or of one that is gone already, stands for the person's
        word; anything else has to be confirmed, and leads nowhere.

        Returns:
            Where to go; a question; or ``None`` when the person is logged out and stays here.
        """
        sent = parameters.parse(query)
        hinted = self._read_hint(sent)
        now = self._clock()
        with self._database.transaction() as session:
            found = self._logins.current(session, cookie, now=now)
            target = self._logout_target(session, sent, hinted)
            is_known = hinted is not None and (found is None or hinted["sid"] == found[0].sid)
            if found is not None and not is_known and not is_confirmed:
                return LogoutQuestion()
            if found is not None and store.end_session(session, found[0].sid, now=now):
                audit.record(
                    session, at=now, actor=f"user:{found[1].id}", action="sso.logout", subject=found[1].id,
                    facts={"sid": found[0].sid},
                )  # fmt: skip
        return Redirect(location=target.location(sent.get("state"))) if target is not None and is_known else None

    def purge_expired(self) -> int:
        """Delete codes, tokens, sessions and counters that have been without effect for two days; how many rows."""
        with self._database.transaction() as session:
            return store.purge(session, before=self._clock() - _KEPT_FOR)

    def _read_hint(self, sent: Mapping[str, str]) -> Mapping[str, object] | None:
        hint = sent.get("id_token_hint")
        return None if hint is None else id_token.read_hint(hint, self.public_keys, issuer=self.issuer)

    def _issue_code(
        self, session: Session, request: AuthorizationRequest, person: Authentication, now: datetime
    ) -> str:
        code = sessions.opaque(self._random(sessions.TOKEN_BYTES))
        row = CodeRow(
            code_digest=sessions.stored_form(code),
            client_id=request.client.client_id,
            redirect_uri=request.target.uri,
            code_challenge=request.code_challenge,
            user_id=person.subject,
            sid=person.sid,
            scopes=sorted(request.scopes),
            nonce=request.nonce,
            auth_time=person.auth_time,
            expires_at=now + self.settings.code_lifetime,
        )
        store.add(session, row)
        audit.record(
            session, at=now, actor=f"user:{person.subject}", action="sso.code.issued", subject=request.client.client_id,
            facts={"sid": person.sid, "scope": " ".join(row.scopes)},
        )  # fmt: skip
        return code

    def _logout_target(
        self, session: Session, sent: Mapping[str, str], hinted: Mapping[str, object] | None
    ) -> PostLogoutTarget | None:
        uri = sent.get("post_logout_redirect_uri")
        if uri is None or hinted is None:
            return None
        if sent.get("client_id", hinted["aud"]) != hinted["aud"]:
            raise PageError("The ID token is another application's.", code="sso.logout.client-mismatch")
        client = store.client_by_id(session, str(hinted["aud"]))
        return None if client is None else PostLogoutTarget(client=client, uri=uri)


def _authentication(row: SessionRow, user: UserRow, *, is_fresh: bool) -> Authentication:
    return Authentication(subject=user.id, sid=row.sid, auth_time=row.auth_time, is_fresh=is_fresh)
