"""Protocol parameters as received, without duplicates."""

from collections.abc import Mapping
from types import MappingProxyType
from urllib.parse import parse_qsl

from sso.core.errors import OAuthError, OAuthErrorCode

__all__ = ["MAX_LENGTH", "parse"]

MAX_LENGTH = 16_384
"""Characters of a query or form that are read at all."""
_MAX_FIELDS = 64


def parse(encoded: str) -> Mapping[str, str]:
    """Parameters of an ``application/x-www-form-urlencoded`` query or body.

    A parameter without a value counts as omitted, one that is sent twice is refused, an unknown one is kept for the
    caller to ignore (RFC 6749 §3.1, §3.2).

    Raises:
        OAuthError: ``invalid_request`` for duplicates, too much, or text that is not UTF-8. Never to be redirected:
            which client is asking is not established yet.
    """
    if len(encoded) > MAX_LENGTH:
        raise _invalid("The request has too many parameters.", "too-long")
    try:
        pairs = parse_qsl(encoded, keep_blank_values=True, max_num_fields=_MAX_FIELDS, errors="strict")
    except ValueError as error:  # UnicodeDecodeError is one
        raise _invalid("The request parameters cannot be read.", "unreadable") from error
    names = [name for name, _ in pairs]
    if len(names) != len(set(names)):
        raise _invalid("A request parameter is given twice.", "duplicate")
    if any(ord(character) < 0x20 or ord(character) == 0x7F for _, value in pairs for character in value):
        raise _invalid("A request parameter holds a control character.", "control-character")
    return MappingProxyType({name: value for name, value in pairs if value})


def _invalid(detail: str, reason: str) -> OAuthError:
    return OAuthError(OAuthErrorCode.INVALID_REQUEST, detail, code=f"sso.parameters.{reason}")
