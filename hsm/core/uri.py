"""RFC 7512 URIs that name a key and not a machine: ``pkcs11:object=sm2-root;type=private``."""

from urllib.parse import quote, unquote_to_bytes

from trustcore.errors import MalformedError

__all__ = ["key_uri", "label_of", "secret_key_uri"]

_SCHEME = "pkcs11:"
_ALLOWED = ":[]@!$'()*+,=&"
"""pk11-res-avail and ``&`` of RFC 7512 §2.3; unreserved characters are never quoted."""
_LABEL_LIMIT = 64
_TYPES = ("private", "secret-key")


def key_uri(label: str) -> str:
    """URI of the private key with this label. Raises ``MalformedError`` (``hsm.key.label``)."""
    return _uri(label, "private")


def secret_key_uri(label: str) -> str:
    """URI of the secret key with this label. Raises ``MalformedError`` (``hsm.key.label``)."""
    return _uri(label, "secret-key")


def _uri(label: str, kind: str) -> str:
    if not 1 <= len(label) <= _LABEL_LIMIT or not label.isprintable():
        raise MalformedError(
            f"A key's label has 1 to {_LABEL_LIMIT} printable characters.", code="hsm.key.label", limit=_LABEL_LIMIT
        )
    return f"{_SCHEME}object={quote(label, safe=_ALLOWED)};type={kind}"


def label_of(uri: str) -> str:
    """Label that a key's URI names.

    Attributes may stand in any order (RFC 7512 §2.3). One that would pin the key to a token is refused rather than
    ignored, because the pool chooses the machine.

    Raises:
        MalformedError: ``hsm.key.uri`` for anything that is not the URI of a private or a secret key.
    """
    error = MalformedError("The key is not named by a URI like pkcs11:object=LABEL;type=private.", code="hsm.key.uri")
    if not uri.startswith(_SCHEME):
        raise error
    attributes: dict[str, str] = {}
    for part in uri.removeprefix(_SCHEME).split(";"):
        name, equals, value = part.partition("=")
        if not equals or name in attributes:
            raise error
        attributes[name] = value
    if set(attributes) - {"object", "type"} or attributes.get("type", "private") not in _TYPES:
        raise error
    try:
        label = unquote_to_bytes(attributes.get("object", "")).decode()
    except UnicodeDecodeError:
        raise error from None
    if not label:
        raise error
    return label
