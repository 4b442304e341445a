"""Signed checkpoints of the audit trail: what a chain of digests alone cannot show is that its end was cut off.

A checkpoint names the last row and its digest, and is signed with a key inside the machines. Kept outside the
installation, it proves later that the trail still holds every row it had then.
"""

import base64
import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy.orm import Session

from trustcore.audit import AuditRow, rows, verify_chain
from trustcore.crypto.algorithms import SignatureAlgorithm
from trustcore.crypto.verify import verify
from trustcore.errors import MalformedError, NotFoundError
from trustcore.report import Report, ReportBuilder
from trustcore.signing import Signer

__all__ = ["Checkpoint", "last_row", "make_checkpoint", "read_checkpoint", "verify_checkpoint"]

_CLAUSE = "GB/T 22239-2019 §8.1.4.3"


@dataclass(frozen=True, slots=True, kw_only=True)
class Checkpoint:
    """The state of the trail at a moment, signed."""

    number: int
    """Of the last row."""
    digest: bytes
    """Of the last row, 32 bytes."""
    at: datetime
    algorithm: SignatureAlgorithm
    public_key_der: bytes
    signature: bytes

    def as_json(self) -> dict[str, object]:
        """The checkpoint as JSON-ready data; octets are base64."""
        return {
            **_statement(self.number, self.digest, self.at),
            "algorithm": str(self.algorithm),
            "public_key": base64.b64encode(self.public_key_der).decode(),
            "signature": base64.b64encode(self.signature).decode(),
        }


def _statement(number: int, digest: bytes, at: datetime) -> dict[str, object]:
    return {"audit_row": number, "digest": digest.hex(), "at": at.isoformat()}


def _signed_bytes(number: int, digest: bytes, at: datetime) -> bytes:
    """What the signature covers: JSON with sorted keys and no blanks."""
    return json.dumps(_statement(number, digest, at), sort_keys=True, separators=(",", ":")).encode()


def make_checkpoint(last: AuditRow, signer: Signer, *, at: datetime) -> Checkpoint:
    """Sign the state whose last row is ``last``; call it outside of any transaction."""
    return Checkpoint(
        number=last.number,
        digest=last.digest,
        at=at,
        algorithm=signer.algorithm,
        public_key_der=signer.public_key_der,
        signature=signer.sign(_signed_bytes(last.number, last.digest, at)),
    )


def read_checkpoint(content: Mapping[str, object]) -> Checkpoint:
    """The checkpoint of :meth:`Checkpoint.as_json`. Raises ``MalformedError`` (``audit.checkpoint.form``)."""
    try:
        return Checkpoint(
            number=int(str(content["audit_row"])),
            digest=bytes.fromhex(str(content["digest"])),
            at=datetime.fromisoformat(str(content["at"])),
            algorithm=SignatureAlgorithm(str(content["algorithm"])),
            public_key_der=base64.b64decode(str(content["public_key"]), validate=True),
            signature=base64.b64decode(str(content["signature"]), validate=True),
        )
    except (KeyError, ValueError) as error:
        raise MalformedError("The file is not an audit checkpoint.", code="audit.checkpoint.form") from error


def last_row(session: Session) -> AuditRow:
    """The newest row. Raises ``NotFoundError`` (``audit.empty``)."""
    newest = rows(session, limit=1)
    if not newest:
        raise NotFoundError("The audit trail is empty.", code="audit.empty")
    return newest[0]


def verify_checkpoint(session: Session, checkpoint: Checkpoint, *, public_key_der: bytes) -> Report:
    """Whether the trail is whole and still holds the row that the checkpoint names.

    Args:
        session: to read the trail.
        checkpoint: from outside.
        public_key_der: of the installation's audit key; the key inside the checkpoint proves nothing.
    """
    builder = ReportBuilder("audit")
    builder.extend(verify_chain(session).steps)
    message = _signed_bytes(checkpoint.number, checkpoint.digest, checkpoint.at)
    signed = checkpoint.public_key_der == public_key_der and verify(
        public_key_der, checkpoint.algorithm, message, checkpoint.signature
    )
    builder.check(
        signed, "audit.checkpoint.signature", clause=_CLAUSE,
        zh="检查点由本系统的审计密钥签名" if signed else "检查点不是本系统的审计密钥所签",
        en="The checkpoint was signed by this installation's audit key" if signed
        else "The checkpoint was not signed by this installation's audit key",
    )  # fmt: skip
    row = session.get(AuditRow, checkpoint.number)
    held = row is not None and row.digest == checkpoint.digest
    builder.check(
        held, "audit.checkpoint.held", clause=_CLAUSE, evidence={"row": str(checkpoint.number)},
        zh="检查点所指的记录仍在链上" if held else "检查点所指的记录已不在链上：记录被截断或替换",
        en="The row of the checkpoint is still in the chain" if held
        else "The row of the checkpoint is not in the chain any more: rows were cut off or replaced",
    )  # fmt: skip
    return builder.build()
