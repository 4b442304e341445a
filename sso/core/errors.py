"""The two ways in which a protocol step refuses.

Which of the two is raised decides whether a browser may be sent back to the client: only :class:`OAuthError` may, and
only where a :class:`~sso.core.clients.RedirectTarget` exists.
"""

from enum import StrEnum

from trustcore.errors import RejectedError

__all__ = ["OAuthError", "OAuthErrorCode", "PageError"]


class OAuthErrorCode(StrEnum):
    """Values of ``error`` on the wire."""

    INVALID_REQUEST = "invalid_request"
    """RFC 6749 §4.1.2.1, §5.2."""
    INVALID_CLIENT = "invalid_client"
    INVALID_GRANT = "invalid_grant"
    UNAUTHORIZED_CLIENT = "unauthorized_client"
    UNSUPPORTED_GRANT_TYPE = "unsupported_grant_type"
    UNSUPPORTED_RESPONSE_TYPE = "unsupported_response_type"
    INVALID_SCOPE = "invalid_scope"
    TEMPORARILY_UNAVAILABLE = "temporarily_unavailable"
    SERVER_ERROR = "server_error"
    LOGIN_REQUIRED = "login_required"
    """OpenID Connect Core 1.0 §3.1.2.6."""
    REQUEST_NOT_SUPPORTED = "request_not_supported"
    REQUEST_URI_NOT_SUPPORTED = "request_uri_not_supported"
    REGISTRATION_NOT_SUPPORTED = "registration_not_supported"
    INVALID_TOKEN = "invalid_token"
    INSUFFICIENT_SCOPE = "insufficient_scope"


class OAuthError(RejectedError):
    """A refusal that the client is told of, in the words of RFC 6749.

    Args:
        error: the value of ``error``.
        detail: the value of ``error_description``: ASCII without quote and backslash (RFC 6749 §5.2), never an echo
            of what was sent.
        code: our stable code.
    """

    def __init__(self, error: OAuthErrorCode, detail: str, *, code: str) -> None:
        super().__init__(detail, code=code)
        self.error = error


class PageError(RejectedError):
    """A refusal shown to the person at the browser and never redirected (RFC 9700 §4.11.2).

    Raised for everything that is wrong before client and redirect URI are known to be right.
    """
