"""Personal data at rest: encrypted with SM4-GCM, looked up by keyed HMAC-SM3.

Identity numbers and phone numbers are stored only through a :class:`FieldCipher`. The field cipher's key is random,
wrapped to an SM2 key inside the machines and kept wrapped in the database (:func:`open_field_cipher`), so a copy of
the database alone shows nothing. That key is version 1; where a keeper of versions is given, later ones encrypt what is
new, and each opens what it encrypted. Look-up values never change, so their key is always derived from version 1.
"""

import base64
import hmac
from collections.abc import Callable
from datetime import datetime
from typing import Protocol

from sqlalchemy import LargeBinary, String, select
from sqlalchemy.orm import Mapped, mapped_column

from trustcore import audit
from trustcore.crypto import sm2, sm4
from trustcore.crypto.algorithms import KeyAlgorithm
from trustcore.crypto.digests import sm3
from trustcore.database import Database, Model, UtcDateTime
from trustcore.errors import MalformedError
from trustcore.signing import KeyPurpose, Keys, ensure_key

__all__ = ["FIELD_KEY", "DataKey", "FieldCipher", "FieldKeys", "open_field_cipher"]

FIELD_KEY = "xinyin-data-protection"
"""Name of the key, and label of the key pair that its first version is wrapped to."""
_KEY_BYTES = 16
_POINT = "."
"""No base64 has it."""
_VERSION_DIGITS = 9


class FieldKeys(Protocol):
    """Versions of the key, the first among them. Safe to share between threads."""

    def current(self) -> tuple[int, bytes]:
        """The newest version, from 1, and its 16 bytes."""

    def key(self, version: int) -> bytes:
        """The 16 bytes of one version. Raises ``NotFoundError`` for one that was never made."""


class FieldCipher:
    """Encrypts single fields. Safe to share between threads.

    Args:
        key: 16 bytes, version 1; the key for look-up is derived from it, and one for encryption.
        random: source of nonces.
        versions: all versions; without them there is the first alone.
    """

    def __init__(self, key: bytes, random: Callable[[int], bytes], *, versions: FieldKeys | None = None) -> None:
        self._first = _encryption_key(key)
        self._lookup_key = sm3(b"xinyin field lookup" + key)
        self._random = random
        self._versions = versions

    def encrypt(self, text: str) -> str:
        """Base64 of nonce, ciphertext and tag, after “2.” and so on from version 2 on. Another value each time."""
        version, key = (1, self._first) if self._versions is None else self._newest(self._versions)
        sealed = base64.b64encode(sm4.seal(key, self._random(sm4.NONCE_BYTES), text.encode(), _said(version))).decode()
        return sealed if version == 1 else f"{version}{_POINT}{sealed}"

    def decrypt(self, sealed: str) -> str:
        """The text of :meth:`encrypt`. ``MalformedError`` (``crypto.sm4.tag``) when it was changed."""
        version, point, body = sealed.partition(_POINT)
        if not point:
            return sm4.open_sealed(self._first, _octets(sealed)).decode()
        if self._versions is None or not version.isascii() or not version.isdigit() or len(version) > _VERSION_DIGITS:
            raise MalformedError("the encrypted value is of a version that is not known", code="crypto.sm4.tag")
        key = _encryption_key(self._versions.key(int(version)))
        return sm4.open_sealed(key, _octets(body), _said(int(version))).decode()

    def _newest(self, versions: FieldKeys) -> tuple[int, bytes]:
        version, key = versions.current()
        return version, self._first if version == 1 else _encryption_key(key)

    def lookup(self, text: str) -> str:
        """Hex of the keyed HMAC-SM3 (GB/T 15852.2-2024): equal texts give equal values; useless without the key."""
        return hmac.new(self._lookup_key, text.encode(), "sm3").hexdigest()


def _encryption_key(key: bytes) -> bytes:
    return sm3(b"xinyin field encryption" + key)[:_KEY_BYTES]


def _octets(text: str) -> bytes:
    try:
        return base64.b64decode(text, validate=True)
    except ValueError as error:
        raise MalformedError("the encrypted value is not base64", code="crypto.sm4.tag") from error


def _said(version: int) -> bytes:
    """What is authenticated with the text: nothing in version 1, which is older than versions are."""
    return b"" if version == 1 else str(version).encode()


class DataKey(Model):
    """The key for data at rest, wrapped to a key inside the machines."""

    __tablename__ = "core_data_key"

    name: Mapped[str] = mapped_column(String(50), primary_key=True)
    key_uri: Mapped[str] = mapped_column(String(300))
    wrapped: Mapped[bytes] = mapped_column(LargeBinary)
    """``SM2Cipher`` of the 16-byte key."""
    created_at: Mapped[datetime] = mapped_column(UtcDateTime)


def open_field_cipher(
    database: Database, keys: Keys, clock: Callable[[], datetime], *, versions: FieldKeys | None = None
) -> FieldCipher:
    """The installation's field cipher; its key is made at the first call.

    Of two processes that start at once, one stores its key and both use that one.

    Args:
        database: where the key is, wrapped.
        keys: what it is wrapped to.
        clock: aware UTC time.
        versions: keeps the versions of :data:`FIELD_KEY`, of which this key is the first.
    """
    with database.transaction() as session:
        row = session.get(DataKey, FIELD_KEY)
    if row is None:
        row = _make_key(database, keys, clock)
    return FieldCipher(keys.decrypt(row.key_uri, row.wrapped), keys.random, versions=versions)


def _make_key(database: Database, keys: Keys, clock: Callable[[], datetime]) -> DataKey:
    uri = ensure_key(keys, FIELD_KEY, KeyAlgorithm.SM2, purpose=KeyPurpose.ENCRYPTION)
    point = sm2.public_point(keys.signer(uri).public_key_der)
    wrapped = sm2.encrypt(point, keys.random(_KEY_BYTES))
    with database.transaction() as session:
        row = session.scalars(select(DataKey).where(DataKey.name == FIELD_KEY)).one_or_none()
        if row is None:
            row = DataKey(name=FIELD_KEY, key_uri=uri, wrapped=wrapped, created_at=clock())
            session.add(row)
            audit.record(session, at=clock(), actor="system", action="core.data-key.created", subject=FIELD_KEY)
    return row
