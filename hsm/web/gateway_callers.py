"""Who asks: a bearer token, or a client certificate that a trusted proxy verified.

The proxy ends TLS or TLCP, verifies the client's certificate, and says in headers what it found:

``X-Xinyin-Client-Verify``  ``SUCCESS`` when the certificate was verified
``X-Xinyin-Client-Cert``    the certificate: PEM, percent-encoded, as nginx writes ``$ssl_client_escaped_cert``
``Client-Cert``             the same as RFC 9440 §2.1 has it, ``:base64 of the DER:``, instead of the two before
``X-Xinyin-Proxy-Secret``   what the settings' ``proxy_secret_file`` holds, where there is one

Such a header counts only when the connection comes from a trusted proxy, and with it the secret where there is one;
from anyone else the request is refused, because somebody tries to be what he is not, or a proxy is not set up.
"""

import binascii
import hmac
import threading
import time
from collections.abc import Callable, Sequence
from ipaddress import IPv4Network, IPv6Network, ip_address, ip_network
from urllib.parse import unquote_to_bytes

from fastapi import Request

from hsm.core.rights import Operation
from hsm.settings import GatewaySettings
from trustcore.crypto.digests import sha256
from trustcore.errors import ForbiddenError, MalformedError, UnauthenticatedError
from trustcore.web.auth import Authenticator, Principal
from trustcore.x509.certificate import Certificate, load_pem_bundle

__all__ = ["CERTIFICATE_HEADER", "SECRET_HEADER", "STANDARD_HEADER", "VERIFY_HEADER", "Callers"]

VERIFY_HEADER = "X-Xinyin-Client-Verify"
CERTIFICATE_HEADER = "X-Xinyin-Client-Cert"
STANDARD_HEADER = "Client-Cert"
SECRET_HEADER = "X-Xinyin-Proxy-Secret"
_UNIX = "unix"
_REMEMBERED = 1024
_LONGEST_HEADER = 16 * 1024


class Callers:
    """Turns requests into principals. Safe to share between threads.

    Args:
        authenticator: for bearer tokens.
        by_certificate: the application that a certificate stands for; raises ``UnauthenticatedError``.
        settings: ``[hsm.gateway]``.
    """

    def __init__(
        self,
        authenticator: Authenticator,
        by_certificate: Callable[[Certificate], Principal],
        settings: GatewaySettings,
    ) -> None:
        self._authenticator = authenticator
        self._by_certificate = by_certificate
        self._memory_seconds = settings.caller_memory.total_seconds()
        self._networks = _networks(settings.trusted_proxies)
        self._unix = _UNIX in settings.trusted_proxies
        secret = settings.proxy_secret_file
        self._secret = None if secret is None else secret.read_bytes().strip()
        self._known: dict[bytes, tuple[float, Principal]] = {}
        self._lock = threading.Lock()

    def admit(self, request: Request, right: Operation | str) -> Principal:
        """Whoever asks, who has the right to this operation, or the scope.

        Raises:
            UnauthenticatedError: ``auth.…``.
            ForbiddenError: ``auth.scope``, ``auth.proxy.…``.
        """
        principal = self._principal(request)
        if principal.kind != "application":
            raise ForbiddenError("The gateway serves applications, not persons.", code="auth.kind")
        principal.require(right.scope if isinstance(right, Operation) else right)
        return principal

    def _principal(self, request: Request) -> Principal:
        headers = request.headers
        if any(name in headers for name in (VERIFY_HEADER, CERTIFICATE_HEADER, STANDARD_HEADER, SECRET_HEADER)):
            self._check_proxy(request)
            certificate = _certificate(request)
            if certificate is not None:
                return self._remembered("certificate", certificate.der, lambda: self._by_certificate(certificate))
        authorization = headers.get("Authorization")
        if authorization is None:
            return self._authenticator.authenticate(None)
        return self._remembered(
            "token", authorization.encode(), lambda: self._authenticator.authenticate(authorization)
        )

    def _check_proxy(self, request: Request) -> None:
        if not self._is_trusted(request):
            raise ForbiddenError(
                "Headers about a client certificate are taken from a trusted proxy only.", code="auth.proxy.untrusted"
            )
        sent = request.headers.get(SECRET_HEADER, "").encode()
        if self._secret is not None and not hmac.compare_digest(sent, self._secret):
            raise ForbiddenError("The proxy did not send its secret.", code="auth.proxy.secret")

    def _is_trusted(self, request: Request) -> bool:
        peer = request.client
        if peer is None or not peer.host:
            return self._unix
        try:
            address = ip_address(peer.host)
        except ValueError:
            return False
        mapped = getattr(address, "ipv4_mapped", None) or address
        return any(mapped in network for network in self._networks if network.version == mapped.version)

    def _remembered(self, kind: str, credential: bytes, look_up: Callable[[], Principal]) -> Principal:
        """The principal of a credential that was accepted a moment ago, else looked up; only its digest is kept.

        The kind is part of what is digested: a token's text never stands for a certificate, which everybody may know.
        """
        now = time.monotonic()
        digest = sha256(kind.encode() + b"\0" + credential)
        with self._lock:
            known = self._known.get(digest)
        if known is not None and now < known[0]:
            return known[1]
        principal = look_up()
        with self._lock:
            if len(self._known) >= _REMEMBERED:
                self._known.clear()
            self._known[digest] = (now + self._memory_seconds, principal)
        return principal


def _networks(proxies: Sequence[str]) -> tuple[IPv4Network | IPv6Network, ...]:
    return tuple(ip_network(proxy) for proxy in proxies if proxy != _UNIX)


def _certificate(request: Request) -> Certificate | None:
    """The certificate that the proxy verified; ``None`` when the client showed none."""
    headers = request.headers
    for name in (VERIFY_HEADER, CERTIFICATE_HEADER, STANDARD_HEADER):
        values = headers.getlist(name)
        if len(values) > 1 or any(len(value) > _LONGEST_HEADER for value in values):
            raise UnauthenticatedError(
                f"The header {name} stands twice or is too long.", code="auth.certificate.header"
            )
    standard, escaped = headers.get(STANDARD_HEADER), headers.get(CERTIFICATE_HEADER)
    verified = headers.get(VERIFY_HEADER)
    if standard:
        if verified or escaped:
            # A proxy speaks one form; the other comes from a client whose headers it lets through.
            raise UnauthenticatedError(
                "Two forms of headers speak of a client certificate.", code="auth.certificate.header"
            )
        return _read(lambda: Certificate.from_der(_byte_sequence(standard)))
    if not escaped:
        return None
    if verified != "SUCCESS":
        raise UnauthenticatedError("The proxy did not verify the client's certificate.", code="auth.certificate.verify")
    return _read(lambda: load_pem_bundle(unquote_to_bytes(escaped))[0])


def _byte_sequence(value: str) -> bytes:
    """A byte sequence of RFC 8941 §3.3.5."""
    if not (value.startswith(":") and value.endswith(":")):
        raise ValueError(value)
    return binascii.a2b_base64(value[1:-1], strict_mode=True)


def _read(read: Callable[[], Certificate]) -> Certificate:
    try:
        return read()
    except (MalformedError, ValueError, IndexError) as error:
        raise UnauthenticatedError(
            "The client's certificate cannot be read.", code="auth.certificate.unreadable"
        ) from error
