"""Prepared signatures as JSON, to be kept until the signature comes: minutes, or days on an officer's desk.

The document itself is not stored, only what the signature adds to it. Whoever restores a prepared signature brings the
document again, and it has to be the very one (:func:`ofd.sign.draft.restore_draft`).
"""

import base64
import binascii
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from ofd.package.reader import Package
from ofd.sign.draft import Draft, SignatureType, restore_draft
from trustcore.crypto.algorithms import DigestAlgorithm
from trustcore.errors import MalformedError

__all__ = ["Stored", "kind_of", "store"]

_FORMAT = "xinyin-ofd-prepared"
_VERSION = 1
_Value = str | bytes | Sequence[bytes] | Mapping[str, bytes] | None


def store(kind: str, draft: Draft, digest: DigestAlgorithm, **values: _Value) -> bytes:
    """The JSON octets of a draft and further values; octets become base64.

    Args:
        kind: of prepared signature; only the same kind reads it.
        draft: what was prepared.
        digest: of the files.
        values: what the kind needs besides.
    """
    content = {
        "format": _FORMAT,
        "version": _VERSION,
        "kind": kind,
        "type": draft.listed.type,
        "relative": draft.listed.relative,
        "signature_xml": _encoded(draft.signature_xml),
        "added": _encoded(draft.added),
        "unprotected": sorted(draft.unprotected),
        "digest": str(digest),
    }
    content.update((name, _encoded(value)) for name, value in values.items())
    return json.dumps(content, ensure_ascii=False, sort_keys=True).encode()


@dataclass(frozen=True, slots=True)
class Stored:
    """What :func:`store` wrote, read back."""

    content: Mapping[str, object]

    @classmethod
    def parse(cls, data: bytes, *, kind: str) -> "Stored":
        """Read the JSON octets.

        Raises:
            MalformedError: ``ofd.sign.stored``: they are no prepared signature of this kind and version.
        """
        content = _content(data)
        if content.get("kind") != kind:
            raise _malformed()
        return cls(content)

    def text(self, name: str) -> str:
        """A text; ``MalformedError`` (``ofd.sign.stored``) when there is none."""
        value = self.content.get(name)
        if not isinstance(value, str):
            raise _malformed()
        return value

    def octets(self, name: str) -> bytes:
        """Octets; ``MalformedError`` (``ofd.sign.stored``) when there are none."""
        return _decoded(self.text(name))

    def optional_octets(self, name: str) -> bytes | None:
        """Octets, if there are any."""
        return None if self.content.get(name) is None else self.octets(name)

    def several(self, name: str) -> tuple[bytes, ...]:
        """Several values of octets."""
        return tuple(map(_decoded, self._texts(name)))

    def draft(self, package: bytes | Package) -> Draft:
        """The draft, with the document it was made for.

        Raises:
            ConflictError: ``ofd.sign.other-document``.
            MalformedError: the document or the draft cannot be read.
        """
        added = self.content.get("added")
        if not isinstance(added, dict) or not all(isinstance(value, str) for value in added.values()):
            raise _malformed()
        try:
            digest, kind = DigestAlgorithm(self.text("digest")), SignatureType(self.text("type"))
        except ValueError as error:
            raise _malformed() from error
        return restore_draft(
            package,
            added={name: _decoded(value) for name, value in added.items()},
            type=kind,
            relative=None if self.content.get("relative") is None else self.text("relative"),
            signature_xml=self.octets("signature_xml"),
            unprotected=self._texts("unprotected"),
            digest=digest,
        )

    def _texts(self, name: str) -> list[str]:
        value = self.content.get(name)
        if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
            raise _malformed()
        return value


def kind_of(data: bytes) -> str:
    """The kind of prepared signature that JSON octets hold.

    Raises:
        MalformedError: ``ofd.sign.stored``: they are no prepared signature of this version.
    """
    return str(_content(data).get("kind"))


def _content(data: bytes) -> dict[str, object]:
    try:
        content = json.loads(data)
    except (ValueError, RecursionError) as error:
        raise _malformed() from error
    if not isinstance(content, dict) or (content.get("format"), content.get("version")) != (_FORMAT, _VERSION):
        raise _malformed()
    return content


def _encoded(value: _Value) -> object:
    if isinstance(value, bytes):
        return base64.b64encode(value).decode()
    if isinstance(value, Mapping):
        return {name: _encoded(item) for name, item in value.items()}
    return value if value is None or isinstance(value, str) else [_encoded(item) for item in value]


def _decoded(text: str) -> bytes:
    try:
        return base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError) as error:
        raise _malformed() from error


def _malformed() -> MalformedError:
    return MalformedError("This is not a prepared signature of this kind.", code="ofd.sign.stored")
