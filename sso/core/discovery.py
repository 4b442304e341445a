"""The provider's metadata (OpenID Connect Discovery 1.0 §3, RFC 8414 §2). It promises only what exists."""

from sso.core.clients import GrantType
from sso.core.id_token import PASSWORD_ACR
from sso.core.jose import ALGORITHM
from sso.core.scopes import USER_SCOPES

__all__ = ["metadata"]


def metadata(issuer: str) -> dict[str, object]:
    """The document at ``/.well-known/openid-configuration``; every address grows from the configured issuer."""
    return {
        "issuer": issuer,
        "authorization_endpoint": f"{issuer}/authorize",
        "token_endpoint": f"{issuer}/token",
        "userinfo_endpoint": f"{issuer}/userinfo",
        "jwks_uri": f"{issuer}/jwks.json",
        "end_session_endpoint": f"{issuer}/logout",
        "scopes_supported": sorted(USER_SCOPES),
        "response_types_supported": ["code"],
        "response_modes_supported": ["query"],
        "grant_types_supported": sorted(GrantType),
        "subject_types_supported": ["public"],
        "id_token_signing_alg_values_supported": [ALGORITHM],
        "token_endpoint_auth_methods_supported": ["client_secret_basic", "client_secret_post", "none"],
        "code_challenge_methods_supported": ["S256"],
        "acr_values_supported": [PASSWORD_ACR],
        "prompt_values_supported": ["none", "login"],
        "claims_supported": [
            "iss", "sub", "aud", "exp", "iat", "auth_time", "nonce", "acr", "amr", "sid", "name",
            "preferred_username", "roles",
        ],
        "claims_parameter_supported": False,
        "request_parameter_supported": False,
        "request_uri_parameter_supported": False,
        "authorization_response_iss_parameter_supported": True,
    }  # fmt: skip
