"""Logins of the portal: an ordinary client of our own OpenID Connect provider."""

from sso.portal import Portal, PortalClient
from sso.web.relying_party import PortalLogin, build_login_router
from trustapp.wiring import Suite

__all__ = ["build_login"]

_CLIENT_ID = "xinyin-portal"
_CALLBACK = "/callback"


def build_login(suite: Suite) -> PortalLogin:
    """Routes ``/login``, ``/callback``, ``/logout`` and the look-up of who is logged in."""
    suite.sso.ensure_portal_client(_CLIENT_ID, redirect_paths=[_CALLBACK], logout_paths=["/"])
    base = suite.settings.public_url
    client = PortalClient(client_id=_CLIENT_ID, redirect_uri=f"{base}{_CALLBACK}", post_logout_redirect_uri=f"{base}/")
    portal = Portal(suite.database, suite.sso, suite.clock, suite.hsm.random, suite.settings.sso, client)
    return build_login_router(portal, suite.settings.sso)
