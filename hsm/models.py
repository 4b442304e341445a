"""Tables of the encryption machine service. No private value and no PIN is ever in them."""

from datetime import datetime

from sqlalchemy import JSON, LargeBinary, String
from sqlalchemy.orm import Mapped, mapped_column

from trustcore.database import Model, UtcDateTime

__all__ = ["KeyRow"]


class KeyRow(Model):
    """A key, and which machines hold it."""

    __tablename__ = "hsm_key"

    label: Mapped[str] = mapped_column(String(64), primary_key=True)
    key_id: Mapped[bytes] = mapped_column(LargeBinary(16))
    """CKA_ID of its objects: random, so that what a crash left behind under the same label is never taken for it."""
    algorithm: Mapped[str] = mapped_column(String(20))
    """A ``KeyAlgorithm``, or ``aes-256`` for the key that keys travel under."""
    uri: Mapped[str] = mapped_column(String(250), unique=True)
    """RFC 7512."""
    public_key_der: Mapped[bytes | None] = mapped_column(LargeBinary)
    """SubjectPublicKeyInfo; none until the key is made, and for ``aes-256``."""
    machines: Mapped[list[str]] = mapped_column(JSON)
    """Names of the machines that hold it."""
    requested_at: Mapped[datetime] = mapped_column(UtcDateTime)
    requested_by: Mapped[str] = mapped_column(String(255))
    """Host that is making it; another one does not interfere while the request is young."""
    created_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    """When it was ready to use; none: the process that made it has not finished."""
    sealed_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    """When it became non-extractable in every machine; none: some machine still waits for its copy."""
