"""Logins at the product's own pages: an ordinary client of the provider, with sessions of its own."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from urllib.parse import urlencode

from sso import store
from sso.core import id_token, parameters, relying_party, sessions
from sso.core.errors import OAuthError
from sso.core.relying_party import Attempt
from sso.core.roles import Role
from sso.core.scopes import USER_SCOPES
from sso.models import PortalSessionRow
from sso.ports import Provider
from sso.settings import SsoSettings
from trustcore import audit
from trustcore.database import Database
from trustcore.errors import RejectedError, UnauthenticatedError

__all__ = ["LoggedIn", "Portal", "PortalClient", "PortalUser"]

_TOUCH_EVERY = timedelta(minutes=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class PortalClient:
    """How the pages are registered at the provider: a public client, whose codes PKCE protects."""

    client_id: str
    redirect_uri: str
    post_logout_redirect_uri: str


@dataclass(frozen=True, slots=True, kw_only=True)
class PortalUser:
    """Who is logged in at our pages."""

    subject: str
    username: str
    display_name: str
    roles: frozenset[Role]
    auth_time: datetime

    def has(self, role: Role) -> bool:
        """Whether the person holds a role."""
        return role in self.roles


@dataclass(frozen=True, slots=True, kw_only=True)
class LoggedIn:
    """A login that is done."""

    cookie: str = field(repr=False)
    return_to: str


class Portal:
    """Use cases of the pages' own logins. Safe to share between threads.

    Args:
        database: holds the sessions.
        provider: in this process or behind HTTP.
        clock: the present time, aware.
        random: a cryptographic source.
        settings: life of sessions.
        client: as registered at the provider.
    """

    def __init__(  # noqa: PLR0917 - made in one place
        self, database: Database, provider: Provider, clock: Callable[[], datetime], random: Callable[[int], bytes],
        settings: SsoSettings, client: PortalClient,
    ) -> None:  # fmt: skip
        self._database = database
        self._provider = provider
        self._clock = clock
        self._random = random
        self._lifetime = settings.session_lifetime
        self._client = client

    def begin(self, return_to: str) -> tuple[str, Attempt]:
        """Where the browser goes to log in, and what it keeps meanwhile."""
        attempt = Attempt(
            secret=sessions.opaque(self._random(sessions.TOKEN_BYTES)),
            return_to=return_to if relying_party.is_local_path(return_to) else "/",
        )
        url = relying_party.authorization_url(
            attempt,
            endpoint=f"{self._provider.issuer}/authorize",
            client_id=self._client.client_id,
            redirect_uri=self._client.redirect_uri,
            scope=" ".join(sorted(USER_SCOPES)),
        )
        return url, attempt

    def finish(self, query: str, *, attempt: Attempt, previous: str | None) -> LoggedIn:
        """Turn the provider's answer into a session.

        Args:
            query: of the callback.
            attempt: of this browser's cookie.
            previous: the session cookie that came along; that session ends.

        Raises:
            RejectedError: ``sso.portal.*``.
            UnauthenticatedError: the ID token is not for this login.
        """
        code = relying_party.read_answer(parameters.parse(query), attempt, issuer=self._provider.issuer)
        response = self._redeem(code, attempt)
        now = self._clock()
        identity = id_token.check(
            str(response["id_token"]),
            self._provider.public_keys,
            issuer=self._provider.issuer,
            client_id=self._client.client_id,
            nonce=attempt.nonce,
            now=now,
        )
        person = self._provider.userinfo(f"Bearer {response['access_token']}")
        if person["sub"] != identity["sub"]:  # OpenID Connect Core 1.0 §5.3.2
            raise UnauthenticatedError("The claims are another person's.", code="sso.portal.subject-mismatch")
        cookie = sessions.opaque(self._random(sessions.TOKEN_BYTES))
        row = _row(cookie, identity, person, str(response["id_token"]), now)
        with self._database.transaction() as session:
            if previous is not None:
                before = store.portal_session(session, sessions.stored_form(previous))
                if before is not None:
                    before[0].ended_at = before[0].ended_at or now
            store.add(session, row)
            audit.record(
                session, at=now, actor=f"user:{row.subject}", action="sso.portal.login", subject=row.subject,
                facts={"sid": row.sid},
            )  # fmt: skip
        return LoggedIn(cookie=cookie, return_to=attempt.return_to)

    def current(self, cookie: str | None) -> PortalUser | None:
        """The person behind a session cookie, where both our session and the provider's still count."""
        if cookie is None:
            return None
        now = self._clock()
        with self._database.transaction() as session:
            found = store.portal_session(session, sessions.stored_form(cookie))
            if found is None or found[1].ended_at is not None or found[2].disabled_at is not None:
                return None
            row = found[0]
            live = sessions.is_live(
                auth_time=row.auth_time,
                last_seen_at=row.last_seen_at,
                ended_at=row.ended_at,
                lifetime=self._lifetime,
                now=now,
            )
            if live and now - row.last_seen_at >= _TOUCH_EVERY:
                store.touch(session, row, now=now)
        return _user(row) if live else None

    def end(self, cookie: str | None) -> str:
        """End a session; where the browser goes to end the provider's as well."""
        leaving = {"post_logout_redirect_uri": self._client.post_logout_redirect_uri}
        with self._database.transaction() as session:
            found = None if cookie is None else store.portal_session(session, sessions.stored_form(cookie))
            if found is not None:
                found[0].ended_at = found[0].ended_at or self._clock()
                leaving["id_token_hint"] = found[0].id_token
        return f"{self._provider.issuer}/logout?{urlencode(leaving)}"

    def _redeem(self, code: str, attempt: Attempt) -> Mapping[str, object]:
        form = urlencode({
            "grant_type": "authorization_code",
            "client_id": self._client.client_id,
            "code": code,
            "redirect_uri": self._client.redirect_uri,
            "code_verifier": attempt.code_verifier,
        })  # fmt: skip
        try:
            return self._provider.token(form, authorization=None)
        except OAuthError as error:
            raise RejectedError("The login was refused.", code="sso.portal.login-refused") from error


def _row(
    cookie: str, identity: Mapping[str, object], person: Mapping[str, object], token: str, now: datetime
) -> PortalSessionRow:
    roles = person.get("roles", [])
    return PortalSessionRow(
        id_digest=sessions.stored_form(cookie),
        sid=str(identity["sid"]),
        subject=str(identity["sub"]),
        username=str(person.get("preferred_username", "")),
        display_name=str(person.get("name", "")),
        roles=[str(role) for role in roles] if isinstance(roles, list) else [],
        id_token=token,
        auth_time=now,
        last_seen_at=now,
    )


def _user(row: PortalSessionRow) -> PortalUser:
    return PortalUser(
        subject=row.subject,
        username=row.username,
        display_name=row.display_name,
        roles=frozenset(Role(role) for role in row.roles),
        auth_time=row.auth_time,
    )
