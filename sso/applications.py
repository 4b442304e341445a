"""Applications: registering clients and giving out their secrets."""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime

from sqlalchemy.exc import IntegrityError

from sso import store
from sso.core import scopes, sessions
from sso.core.clients import Client, GrantType, check_client_id, check_redirect_uri, secret_digest
from sso.models import ClientRow
from sso.settings import SsoSettings
from trustcore import audit
from trustcore.database import Database
from trustcore.errors import ConflictError, MalformedError, NotFoundError

__all__ = ["Applications", "Registration"]

_SECRET_BYTES = 32


@dataclass(frozen=True, slots=True, kw_only=True)
class Registration:
    """What an application asks to be."""

    client_id: str
    name: str
    is_public: bool = False
    """It cannot keep a secret: a page in a browser, an app on a phone."""
    redirect_uris: tuple[str, ...] = ()
    """For logins; with none, the client is there for the interfaces only."""
    post_logout_redirect_uris: tuple[str, ...] = ()
    scopes: frozenset[str] = field(default_factory=frozenset)

    @property
    def grant_types(self) -> frozenset[GrantType]:
        """What follows from the rest: logins need a redirect URI, rights to interfaces a secret."""
        login = {GrantType.AUTHORIZATION_CODE} if self.redirect_uris else set()
        return frozenset(login | ({GrantType.CLIENT_CREDENTIALS} if scopes.api_scopes(self.scopes) else set()))

    def check(self, *, own_origin: str) -> None:
        """Refuse what must not be registered.

        Raises:
            MalformedError: ``sso.client.*``.
        """
        check_client_id(self.client_id)
        if not self.name.strip() or len(self.name) > 100 or not self.name.isprintable():
            raise MalformedError("A client's name is 1 to 100 printable characters.", code="sso.client.name-malformed")
        for uri in (*self.redirect_uris, *self.post_logout_redirect_uris):
            check_redirect_uri(uri, public=self.is_public, own_origin=own_origin)
        for scope in self.scopes:
            scopes.check_scope(scope)
        if self.redirect_uris and scopes.OPENID not in self.scopes:
            raise MalformedError("A client with logins has the scope openid.", code="sso.client.openid-missing")
        if self.is_public and scopes.api_scopes(self.scopes):
            raise MalformedError(
                "A public client cannot hold rights to the interfaces.", code="sso.client.public-with-rights"
            )
        if not self.grant_types:
            raise MalformedError("A client needs a redirect URI or a right.", code="sso.client.useless")


class Applications:
    """Use cases about clients. ``actor`` is who asks, for the audit trail."""

    def __init__(
        self, database: Database, clock: Callable[[], datetime], random: Callable[[int], bytes], settings: SsoSettings
    ) -> None:
        self._database = database
        self._clock = clock
        self._random = random
        self._settings = settings

    def register(self, registration: Registration, *, actor: str) -> str | None:
        """Register a client.

        Returns:
            Its secret, which is kept nowhere; ``None`` for a public client.

        Raises:
            MalformedError: ``sso.client.*``.
            ConflictError: ``sso.client.exists``.
        """
        registration.check(own_origin=self._settings.public_url)
        secret = None if registration.is_public else sessions.opaque(self._random(_SECRET_BYTES))
        now = self._clock()
        row = ClientRow(
            client_id=registration.client_id,
            name=registration.name,
            secret_digest=None if secret is None else secret_digest(secret),
            redirect_uris=list(registration.redirect_uris),
            post_logout_redirect_uris=list(registration.post_logout_redirect_uris),
            scopes=sorted(registration.scopes),
            grant_types=sorted(registration.grant_types),
            created_at=now,
        )
        facts = {"scopes": " ".join(row.scopes), "grants": " ".join(row.grant_types)}
        try:
            with self._database.transaction() as session:
                store.add(session, row)
                audit.record(
                    session, at=now, actor=actor, action="sso.client.added", subject=row.client_id, facts=facts
                )
        except IntegrityError as error:
            raise ConflictError("There is a client with this identifier already.", code="sso.client.exists") from error
        return secret

    def ensure(self, registration: Registration, *, actor: str) -> str | None:
        """As :meth:`register`, but ``None`` where there is such a client already.

        Raises:
            ConflictError: ``sso.client.differs``: there is one, and it is not the same.
        """
        try:
            return self.register(registration, actor=actor)
        except ConflictError:
            found = self.find(registration.client_id)
        if (
            found.redirect_uris != registration.redirect_uris
            or found.post_logout_redirect_uris != registration.post_logout_redirect_uris
            or found.scopes != registration.scopes
            or found.is_public != registration.is_public
        ):
            raise ConflictError("The client exists with other properties.", code="sso.client.differs")
        return None

    def align(self, registration: Registration, *, actor: str) -> None:
        """Register a public client of the installation itself, or bring its registration up to date.

        Its addresses follow the settings: an installation that moved to another address would lock itself out.
        """
        try:
            self.ensure(registration, actor=actor)
        except ConflictError:
            registration.check(own_origin=self._settings.public_url)
            now = self._clock()
            with self._database.transaction() as session:
                store.change_client(
                    session,
                    registration.client_id,
                    redirect_uris=registration.redirect_uris,
                    post_logout_redirect_uris=registration.post_logout_redirect_uris,
                    scopes=registration.scopes,
                )
                audit.record(session, at=now, actor=actor, action="sso.client.changed", subject=registration.client_id)

    def find(self, client_id: str) -> Client:
        """The client. Raises ``NotFoundError`` (``sso.client.not-found``)."""
        with self._database.transaction() as session:
            client = store.client_by_id(session, client_id)
        if client is None:
            raise NotFoundError("There is no such client.", code="sso.client.not-found")
        return client

    def disable(self, client_id: str, *, actor: str) -> None:
        """Stop a client: its logins and tokens count no more, at once."""
        now = self._clock()
        with self._database.transaction() as session:
            if not store.disable_client(session, client_id, now=now):
                raise NotFoundError("There is no such client.", code="sso.client.not-found")
            audit.record(session, at=now, actor=actor, action="sso.client.disabled", subject=client_id)

    def clients(self, *, after: str | None = None, limit: int = 50) -> tuple[Client, ...]:
        """Clients in the order of their identifiers; ``after`` is the last one of the page before."""
        with self._database.transaction() as session:
            return tuple(store.clients(session, after=after or "", limit=limit))
