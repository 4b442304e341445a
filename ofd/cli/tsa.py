"""Asking a time-stamping authority over HTTP (RFC 3161 §3.4)."""

import secrets
import urllib.error
import urllib.request

from ofd.cli.terminal import usage_error
from trustcore.asn1 import encoder
from trustcore.crypto.algorithms import DigestAlgorithm
from trustcore.crypto.digests import digest
from trustcore.errors import RejectedError
from trustcore.x509.cms import SignedData
from trustcore.x509.tsp import TstInfo, build_request, parse_response

__all__ = ["stamp"]

_TIMEOUT_SECONDS = 30
_MAX_BYTES = 1024 * 1024
_NONCE_BITS = 64


def stamp(url: str, stamped: bytes, *, algorithm: DigestAlgorithm = DigestAlgorithm.SM3) -> bytes:
    """A DER TimeStampToken over octets; whose it is, verifying the document tells.

    Args:
        url: of the authority, http or https.
        stamped: what the time stamp is over.
        algorithm: of the imprint.

    Raises:
        typer.Exit: with status 64, for another kind of address or an authority that cannot be reached.
        MalformedError: the answer cannot be read, or no token was granted.
        RejectedError: ``ofd.seal.timestamp-wrong``: the answer is to another request.
    """
    if not url.startswith(("http://", "https://")):
        raise usage_error(f"时间戳服务地址应为 http 或 https / the authority's address is http or https: {url}")
    nonce = secrets.randbits(_NONCE_BITS) | 1 << (_NONCE_BITS - 1)
    body = build_request(algorithm, digest(algorithm, stamped), nonce=nonce)
    request = urllib.request.Request(url, body, {"Content-Type": "application/timestamp-query"})  # noqa: S310 - http(s)
    try:
        with urllib.request.urlopen(request, timeout=_TIMEOUT_SECONDS) as answer:  # noqa: S310 - http(s)
            octets: bytes = answer.read(_MAX_BYTES + 1)
    except (urllib.error.URLError, TimeoutError, OSError) as error:
        raise usage_error(f"无法访问时间戳服务 / the time-stamping authority cannot be reached: {error}") from error
    token = parse_response(octets)
    content = SignedData.from_der(token).content
    info = None if content is None else TstInfo.from_der(content)
    if info is None or info.nonce_der != encoder.integer(nonce) or not info.is_over(stamped):
        raise RejectedError("The authority's answer is to another request.", code="ofd.seal.timestamp-wrong")
    return token
