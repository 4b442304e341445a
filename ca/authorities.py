"""The CAs of an installation: an unchanging view of each, kept in memory once it was read."""

from collections.abc import Sequence
from dataclasses import dataclass
from threading import Lock

from ca import store
from ca.core.issuance import IssuerUrls
from trustcore.database import Database
from trustcore.errors import NotFoundError
from trustcore.signing import Keys, Signer
from trustcore.x509.certificate import Certificate

__all__ = ["Authorities", "Authority", "certificates_of"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Authority:
    """A CA."""

    name: str
    parent: str | None
    """The CA above; ``None`` for a root."""
    certificate: Certificate
    signer: Signer

    @property
    def subject(self) -> str:
        """The common name, for people."""
        return self.certificate.common_name or self.certificate.subject.text


class Authorities:
    """Looks CAs up. Safe to share between threads."""

    def __init__(self, database: Database, keys: Keys, public_url: str) -> None:
        self._database = database
        self._keys = keys
        self._public_url = public_url
        self._known: dict[str, Authority] = {}
        self._lock = Lock()

    def find(self, name: str) -> Authority | None:
        """The CA of this name, or ``None``."""
        with self._lock:
            known = self._known.get(name)
        if known is not None:
            return known
        with self._database.transaction() as session:
            row = store.authority(session, name)
        if row is None:
            return None
        authority = Authority(
            name=row.name,
            parent=row.parent,
            certificate=Certificate.from_der(row.certificate_der),
            signer=self._keys.signer(row.key_uri, certificate=row.certificate_der),
        )
        with self._lock:
            return self._known.setdefault(name, authority)

    def get(self, name: str) -> Authority:
        """The CA of this name. Raises ``NotFoundError`` (``ca.authority.unknown``)."""
        authority = self.find(name)
        if authority is None:
            raise NotFoundError(f"There is no authority {name}.", code="ca.authority.unknown", authority=name)
        return authority

    def all(self) -> tuple[Authority, ...]:
        """Every CA, in the order they were founded."""
        with self._database.transaction() as session:
            names = [row.name for row in store.authorities(session)]
        return tuple(self.get(name) for name in names)

    def chain(self, name: str) -> tuple[Authority, ...]:
        """A CA and those above it, the root last."""
        chain: list[Authority] = [self.get(name)]
        while (parent := chain[-1].parent) is not None:
            chain.append(self.get(parent))
        return tuple(chain)

    def urls(self, name: str) -> IssuerUrls:
        """Where a CA publishes."""
        base = f"{self._public_url}/ca"
        return IssuerUrls(
            crl=f"{base}/crl/{name}.crl", certificate=f"{base}/certificates/{name}.cer", ocsp=f"{base}/ocsp"
        )


def certificates_of(authorities: Sequence[Authority]) -> tuple[bytes, ...]:
    """DER of the certificates, in the same order."""
    return tuple(authority.certificate.der for authority in authorities)
