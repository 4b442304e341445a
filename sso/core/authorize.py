"""The authorization endpoint, step by step.

The order is the safety: :func:`resolve_target` comes first and refuses with a page; only after it has produced a
:class:`~sso.core.clients.RedirectTarget` may any later refusal travel to the client.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from sso.core import pkce, scopes
from sso.core.clients import Client, GrantType, RedirectTarget
from sso.core.errors import OAuthError, OAuthErrorCode, PageError

__all__ = [
    "Authentication",
    "AuthorizationRequest",
    "error_location",
    "needs_login",
    "read_request",
    "read_subject_hint",
    "resolve_target",
    "success_location",
]

_MAX_OPAQUE = 2048
"""Characters of ``state`` and ``nonce`` that we carry for a client."""
_MAX_AGE_LIMIT = 10**9


@dataclass(frozen=True, slots=True, kw_only=True)
class AuthorizationRequest:
    """An authorization request in which everything but the person is settled (OpenID Connect Core 1.0 §3.1.2.1)."""

    target: RedirectTarget
    scopes: frozenset[str]
    """What will be granted: asked for, registered for the client, and known."""
    state: str | None
    nonce: str | None = field(repr=False)
    code_challenge: str
    silent: bool
    """``prompt=none``."""
    login_again: bool
    """``prompt=login``."""
    max_age: timedelta | None
    subject_hint: str | None
    """``sub`` of a verified ``id_token_hint``."""

    @property
    def client(self) -> Client:
        """Who asks."""
        return self.target.client


@dataclass(frozen=True, slots=True, kw_only=True)
class Authentication:
    """Who is at the browser, and since when."""

    subject: str
    sid: str
    auth_time: datetime
    is_fresh: bool
    """The person logged in to answer this very request."""


def resolve_target(client: Client | None, parameters: Mapping[str, str]) -> RedirectTarget:
    """Where the answer may go.

    Raises:
        PageError: the client is unknown, may not use the code flow, or the URI is not one of its own. A request
            without ``redirect_uri`` is refused even where a client has only one (OpenID Connect Core 1.0 §3.1.2.1).
    """
    if client is None or GrantType.AUTHORIZATION_CODE not in client.grant_types:
        raise PageError("The application that sent you here is not known.", code="sso.authorize.client-unknown")
    uri = parameters.get("redirect_uri")
    if uri is None:
        raise PageError("The application did not say where to answer.", code="sso.authorize.redirect-uri-missing")
    return RedirectTarget(client=client, uri=uri)


def read_request(
    target: RedirectTarget, parameters: Mapping[str, str], *, subject_hint: str | None
) -> AuthorizationRequest:
    """Check all that can be checked without the person.

    Args:
        target: of :func:`resolve_target` for the same parameters.
        parameters: of :func:`sso.core.parameters.parse`.
        subject_hint: ``sub`` of the ``id_token_hint``, which the caller has verified.

    Raises:
        OAuthError: to be sent to ``target``.
    """
    _refuse_unsupported(parameters)
    granted = scopes.split(parameters.get("scope", "")) & target.client.scopes & scopes.USER_SCOPES
    if scopes.OPENID not in granted:
        raise OAuthError(
            OAuthErrorCode.INVALID_SCOPE, "The scope openid is required.", code="sso.authorize.openid-missing"
        )
    prompts = scopes.split(parameters.get("prompt", ""))
    if not prompts <= {"none", "login"} or prompts == {"none", "login"}:
        raise _invalid("prompt may be none or login.", "prompt")
    return AuthorizationRequest(
        target=target,
        scopes=granted,
        state=_opaque(parameters, "state"),
        nonce=_opaque(parameters, "nonce"),
        code_challenge=_challenge(parameters),
        silent="none" in prompts,
        login_again="login" in prompts,
        max_age=_max_age(parameters.get("max_age")),
        subject_hint=subject_hint,
    )


def read_subject_hint(parameters: Mapping[str, str], hinted: Mapping[str, object] | None) -> str | None:
    """``sub`` of the ``id_token_hint``.

    Args:
        parameters: of the request.
        hinted: claims of the hint where it is an ID token of ours, expired or not.

    Raises:
        OAuthError: ``invalid_request`` where a hint was sent that is not.
    """
    if "id_token_hint" not in parameters:
        return None
    if hinted is None:
        raise _invalid("id_token_hint is not an ID token of this provider.", "hint")
    return str(hinted["sub"])


def _refuse_unsupported(parameters: Mapping[str, str]) -> None:
    if "request" in parameters:
        raise _unsupported(OAuthErrorCode.REQUEST_NOT_SUPPORTED, "request")
    if "request_uri" in parameters:
        raise _unsupported(OAuthErrorCode.REQUEST_URI_NOT_SUPPORTED, "request_uri")
    if "registration" in parameters:
        raise _unsupported(OAuthErrorCode.REGISTRATION_NOT_SUPPORTED, "registration")
    if parameters.get("response_type") != "code":
        error = OAuthErrorCode.UNSUPPORTED_RESPONSE_TYPE if "response_type" in parameters else None
        raise OAuthError(
            error or OAuthErrorCode.INVALID_REQUEST,
            "response_type must be code.",
            code="sso.authorize.response-type",
        )
    if parameters.get("response_mode", "query") != "query":
        raise _invalid("response_mode must be query.", "response-mode")


def _challenge(parameters: Mapping[str, str]) -> str:
    """``code_challenge``. An omitted method means ``plain`` (RFC 7636 §4.3) and is refused like it."""
    challenge = parameters.get("code_challenge")
    if challenge is None:
        raise _invalid("code_challenge is required.", "challenge-missing")
    if parameters.get("code_challenge_method") != "S256":
        raise _invalid("code_challenge_method must be S256.", "challenge-method")
    if not pkce.is_challenge(challenge):
        raise _invalid("code_challenge is not a SHA-256 digest in base64url.", "challenge-malformed")
    return challenge


def _opaque(parameters: Mapping[str, str], name: str) -> str | None:
    value = parameters.get(name)
    if value is not None and len(value) > _MAX_OPAQUE:
        raise _invalid(f"{name} is too long.", f"{name}-too-long")
    return value


def _max_age(value: str | None) -> timedelta | None:
    if value is None:
        return None
    if not (value.isascii() and value.isdigit() and len(value) <= len(str(_MAX_AGE_LIMIT))):
        raise _invalid("max_age must be a number of seconds.", "max-age")
    return timedelta(seconds=int(value))


def needs_login(request: AuthorizationRequest, person: Authentication | None, *, now: datetime) -> bool:
    """Whether the person has to log in before this request can be answered.

    Raises:
        OAuthError: ``login_required``: one would have to, but the client forbade pages, or the person who has just
            logged in is not the one whom ``id_token_hint`` names (OpenID Connect Core 1.0 §3.1.2.1, §3.1.2.2).
    """
    if person is not None and person.is_fresh:
        if request.subject_hint not in {None, person.subject}:
            raise _login_required()
        return False
    needed = (
        person is None
        or request.login_again
        or (request.max_age is not None and now - person.auth_time > request.max_age)
        or request.subject_hint not in {None, person.subject}
    )
    if needed and request.silent:
        raise _login_required()
    return needed


def success_location(request: AuthorizationRequest, *, code: str, issuer: str) -> str:
    """The authorization response (RFC 6749 §4.1.2) with ``iss`` (RFC 9207 §2)."""
    return request.target.location(_answer({"code": code}, request.state, issuer))


def error_location(target: RedirectTarget, error: OAuthError, *, state: str | None, issuer: str) -> str:
    """The error response (RFC 6749 §4.1.2.1) with ``iss`` (RFC 9207 §2)."""
    return target.location(_answer({"error": error.error, "error_description": error.detail}, state, issuer))


def _answer(parameters: dict[str, str], state: str | None, issuer: str) -> dict[str, str]:
    return parameters | ({"state": state} if state is not None else {}) | {"iss": issuer}


def _login_required() -> OAuthError:
    return OAuthError(
        OAuthErrorCode.LOGIN_REQUIRED, "The person has to log in first.", code="sso.authorize.login-required"
    )


def _unsupported(error: OAuthErrorCode, parameter: str) -> OAuthError:
    return OAuthError(error, f"The parameter {parameter} is not supported.", code="sso.authorize.unsupported-parameter")


def _invalid(detail: str, reason: str) -> OAuthError:
    return OAuthError(OAuthErrorCode.INVALID_REQUEST, detail, code=f"sso.authorize.{reason}")
