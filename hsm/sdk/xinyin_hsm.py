"""Client of the Xinyin 信印 signing gateway, in one file that needs nothing but Python 3.8.

Copy it next to your program::

    from xinyin_hsm import Gateway

    gateway = Gateway(
        "https://trust.example/hsm",
        token_url="https://trust.example/sso/token",
        client_id="approvals",
        client_secret=open("secret").read().strip(),
    )
    signature = gateway.sign("letters", b"approved")
    assert gateway.verify(b"approved", signature.octets, key="letters").valid

A ``Gateway`` is safe to share between threads and keeps its connections; close it, or use it in a ``with``. All calls
may be repeated without harm, so they are, with growing pauses, when the gateway is busy or the connection breaks, until
the deadline. What the gateway refuses is a :class:`GatewayError` whose class says what can be done and whose ``code``
says exactly why.
"""

from __future__ import annotations

import base64
import hashlib
import http.client
import json
import random
import socket
import ssl
import threading
import time
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple
from urllib.parse import SplitResult, quote, urlencode, urlsplit

__all__ = [
    "BusyError",
    "ConflictError",
    "DeadlineError",
    "ForbiddenError",
    "Gateway",
    "GatewayError",
    "LimitedError",
    "NotFoundError",
    "PublicKey",
    "RefusedError",
    "Sealed",
    "Signature",
    "UnauthenticatedError",
    "Verdict",
]

__version__ = "1"

DEFAULT_SM2_ID = "1234567812345678"
_BATCH = 1000
_CHUNK_BYTES = 1024 * 1024
_KEPT = 16
_FIRST_PAUSE_SECONDS = 0.1
_LONGEST_PAUSE_SECONDS = 10.0
_TOKEN_SPARE_SECONDS = 30.0
_LONGEST_ANSWER_BYTES = 64 * 1024 * 1024
_CURVE = bytes.fromhex(
    "fffffffeffffffffffffffffffffffffffffffff00000000fffffffffffffffc"
    "28e9fa9e9d9f5e344d5a9e4bcf6509a7f39789f515ab8f92ddbcbd414d940e93"
    "32c4ae2c1f1981195f9904466a39c9948fe30bbff2660be1715a4589334c74c7"
    "bc3736a2f4f6779c59bdcee36b692153d0a9877cc62a474002df32e52139f0a0"
)
"""a, b and the base point of SM2's curve (GB/T 32918.5-2017 §2)."""

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    Json = dict[str, Any]


class Signature(NamedTuple):
    """A signature, and what made it."""

    octets: bytes
    algorithm: str
    """``sm2-with-sm3`` and the like."""
    key: str
    """Label."""


class Verdict(NamedTuple):
    """Whether a signature is right."""

    valid: bool
    reason: str
    """Empty when valid; ``signature.wrong`` or ``signature.malformed``."""


class Sealed(NamedTuple):
    """What SM4 made of a text."""

    ciphertext: bytes
    """With the 16-byte tag at its end for GCM."""
    iv: bytes


class PublicKey(NamedTuple):
    """The public half of a key."""

    label: str
    uri: str
    algorithm: str
    """``sm2``, ``rsa-2048``, ``rsa-3072`` or ``ec-p256``."""
    der: bytes
    """SubjectPublicKeyInfo."""


class GatewayError(Exception):
    """The gateway refused, or could not be reached.

    Attributes:
        code: stable name of the reason, such as ``hsm.key.not-found``.
        detail: one English sentence.
        status: HTTP status; 0 when there was no answer.
        facts: values the sentence speaks of.
        retry_after: seconds to wait, where the gateway said so.
    """

    def __init__(
        self,
        code: str,
        detail: str,
        status: int = 0,
        *,
        facts: Mapping[str, Any] | None = None,
        retry_after: float | None = None,
    ) -> None:
        super().__init__(f"{detail} [{code}]")
        self.code = code
        self.detail = detail
        self.status = status
        self.facts = dict(facts or {})
        self.retry_after = retry_after


class RefusedError(GatewayError):
    """The request is not understood, or a rule refuses it: sending it again will not help."""


class UnauthenticatedError(GatewayError):
    """The client identifier, its secret or the token is not accepted."""


class ForbiddenError(GatewayError):
    """The application has no right to this; an administrator grants it."""


class NotFoundError(GatewayError):
    """There is no such key."""


class ConflictError(GatewayError):
    """The state of the thing does not allow it."""


class LimitedError(GatewayError):
    """A quota is used up; ``retry_after`` says for how long."""


class BusyError(GatewayError):
    """The gateway or its machines cannot serve now, or cannot be reached."""


class DeadlineError(BusyError):
    """The time given for the call is over."""


_BY_STATUS = {
    401: UnauthenticatedError,
    403: ForbiddenError,
    404: NotFoundError,
    409: ConflictError,
    429: LimitedError,
    500: BusyError,
    502: BusyError,
    503: BusyError,
    504: BusyError,
}
_REPEATED = frozenset({429, 502, 503, 504})


class Gateway:
    """The signing gateway. Safe to share between threads.

    Args:
        url: address of the gateway, such as ``https://trust.example/hsm``.
        token_url: where tokens are given out (RFC 6749 §4.4), with ``client_id`` and ``client_secret``.
        client_id: of this application.
        client_secret: of this application.
        token: a bearer token that somebody else obtained, in place of the three before.
        scopes: what to ask for; all that the application may do, where none are given.
        timeout: seconds for a call with all its repetitions; :meth:`within` gives some calls less or more.
        context: TLS settings: own roots, a client certificate for a proxy that wants one.
    """

    def __init__(
        self,
        url: str,
        *,
        token_url: str | None = None,
        client_id: str | None = None,
        client_secret: str | None = None,
        token: str | None = None,
        scopes: Iterable[str] = (),
        timeout: float = 30.0,
        context: ssl.SSLContext | None = None,
    ) -> None:
        self._base = urlsplit(url.rstrip("/"))
        self._token_address = urlsplit(token_url) if token_url else None
        for address in (self._base, self._token_address):
            if address is not None and (address.scheme not in ("http", "https") or not address.hostname):
                raise ValueError("an address begins with https:// or http://")
        self._client_id = client_id
        self._client_secret = client_secret
        self._scopes = tuple(scopes)
        self._timeout = timeout
        self._context = context
        self._local = threading.local()
        self._lock = threading.Lock()
        self._idle: dict[tuple[str, str], list[http.client.HTTPConnection]] = {}
        self._closed = False
        self._token_lock = threading.Lock()
        self._token = token
        self._token_until = 0.0 if token is None else float("inf")
        self._public_keys: dict[str, PublicKey] = {}

    def __repr__(self) -> str:
        return f"Gateway({self._base.geturl()!r})"

    # Signing and verifying

    def sign(
        self,
        key: str,
        message: bytes | None = None,
        *,
        digest: bytes | None = None,
        sm2_id: str | None = None,
        form: str = "der",
    ) -> Signature:
        """Sign a message or a digest (for SM2 e = SM3(Z || M)) with the key of this label or URI.

        Args:
            key: label or URI.
            message: octets.
            digest: octets, in place of the message.
            sm2_id: the signer's SM2 identifier, for a message; ``1234567812345678`` where none is given.
            form: ``der``, or ``raw`` for r || s.
        """
        body = dict(_content(message, digest, sm2_id), key=key, form=form)
        answer = self._call("POST", "/v1/sign", body)
        return Signature(_bytes(answer["signature_base64"]), answer["algorithm"], answer["key"])

    def sign_many(
        self,
        key: str,
        messages: Iterable[bytes] | None = None,
        *,
        digests: Iterable[bytes] | None = None,
        sm2_id: str | None = None,
        form: str = "der",
    ) -> list[Signature | GatewayError]:
        """Sign many messages or digests, 1,000 in one request.

        Returns:
            A list in the order of what was given: a :class:`Signature`, or the :class:`GatewayError` of this one.
        """
        if (messages is None) == (digests is None):
            raise ValueError("give either messages or digests")
        items = [_content(message, None, sm2_id) for message in messages or ()]
        items += [_content(None, digest, None) for digest in digests or ()]
        results: list[Signature | GatewayError] = []
        for start in range(0, len(items), _BATCH):
            body = {"key": key, "form": form, "items": items[start : start + _BATCH]}
            answer = self._call("POST", "/v1/sign/batch", body)
            results += [_signature(answer, item) for item in answer["results"]]
        return results

    def sign_file(self, key: str, path: str | Path, *, sm2_id: str | None = None, form: str = "der") -> Signature:
        """Sign a file of any size: it is digested here, and only the digest travels.

        Where this Python knows no SM3, a file for an SM2 key travels to the gateway, if it is not longer than 1 MiB.
        """
        digest = self._file_digest(self.public_key(key), path, sm2_id)
        if digest is None:
            message = Path(path).read_bytes()
            return self.sign(key, message, sm2_id=sm2_id, form=form)
        return self.sign(key, digest=digest, form=form)

    def verify(
        self,
        message: bytes | None,
        signature: bytes,
        *,
        digest: bytes | None = None,
        key: str | None = None,
        public_key: bytes | None = None,
        certificate: bytes | None = None,
        sm2_id: str | None = None,
        form: str = "der",
    ) -> Verdict:
        """Whether a signature is right, with a key's public half, a DER public key or a DER certificate.

        The certificate itself is not judged: see :meth:`validate_certificate`.
        """
        body = dict(_content(message, digest, sm2_id), signature_base64=_text(signature), form=form)
        body.update(_source(key, public_key, certificate))
        answer = self._call("POST", "/v1/verify", body)
        return Verdict(answer["valid"], answer["reason"])

    def verify_many(
        self,
        pairs: Iterable[tuple[bytes, bytes]],
        *,
        key: str | None = None,
        public_key: bytes | None = None,
        certificate: bytes | None = None,
        sm2_id: str | None = None,
        form: str = "der",
    ) -> list[Verdict | GatewayError]:
        """Whether many signatures of one key are right.

        Args:
            pairs: of message and signature.
            key: label or URI.
            public_key: DER, in place of the key.
            certificate: DER, in place of the key.
            sm2_id: the signer's SM2 identifier.
            form: ``der`` or ``raw``.

        Returns:
            A list in the order of the pairs: a :class:`Verdict`, or the :class:`GatewayError` of this one.
        """
        items = [dict(_content(message, None, sm2_id), signature_base64=_text(octets)) for message, octets in pairs]
        results: list[Verdict | GatewayError] = []
        for start in range(0, len(items), _BATCH):
            body = dict(_source(key, public_key, certificate), form=form, items=items[start : start + _BATCH])
            answer = self._call("POST", "/v1/verify/batch", body)
            results += [_verdict(item) for item in answer["results"]]
        return results

    def verify_file(
        self, path: str | Path, signature: bytes, *, key: str, sm2_id: str | None = None, form: str = "der"
    ) -> Verdict:
        """Whether a signature over a file is right, with the public half of a key; the file does not travel."""
        digest = self._file_digest(self.public_key(key), path, sm2_id)
        if digest is None:
            return self.verify(Path(path).read_bytes(), signature, key=key, sm2_id=sm2_id, form=form)
        return self.verify(None, signature, digest=digest, key=key, form=form)

    # Encrypting and decrypting

    def encrypt(
        self,
        plaintext: bytes,
        *,
        key: str | None = None,
        public_key: bytes | None = None,
        certificate: bytes | None = None,
        form: str = "der",
    ) -> bytes:
        """Encrypt for the holder of an SM2 key; ``form`` is ``der``, ``c1c3c2`` or ``c1c2c3``."""
        body = dict(_source(key, public_key, certificate), plaintext_base64=_text(plaintext), form=form)
        return _bytes(self._call("POST", "/v1/encrypt", body)["ciphertext_base64"])

    def decrypt(self, key: str, ciphertext: bytes, *, form: str = "der") -> bytes:
        """Decrypt with an SM2 key in the machines."""
        body = {"key": key, "ciphertext_base64": _text(ciphertext), "form": form}
        return _bytes(self._call("POST", "/v1/decrypt", body)["plaintext_base64"])

    def sm4_encrypt(
        self, key: str, plaintext: bytes, *, mode: str = "gcm", iv: bytes | None = None, associated: bytes = b""
    ) -> Sealed:
        """Encrypt with a named SM4 key: ``gcm``, or ``cbc`` and ``ecb`` on whole blocks. Keep the ``iv`` that comes."""
        body = {"key": key, "plaintext_base64": _text(plaintext), "mode": mode, "associated_base64": _text(associated)}
        if iv is not None:
            body["iv_base64"] = _text(iv)
        answer = self._call("POST", "/v1/sm4/encrypt", body)
        return Sealed(_bytes(answer["ciphertext_base64"]), _bytes(answer["iv_base64"]))

    def sm4_decrypt(
        self, key: str, ciphertext: bytes, iv: bytes, *, mode: str = "gcm", associated: bytes = b""
    ) -> bytes:
        """Decrypt with a named SM4 key."""
        body = {"key": key, "ciphertext_base64": _text(ciphertext), "mode": mode, "iv_base64": _text(iv)}
        body["associated_base64"] = _text(associated)
        return _bytes(self._call("POST", "/v1/sm4/decrypt", body)["plaintext_base64"])

    # Without a key

    def digest(self, data: bytes, *, algorithm: str = "sm3") -> bytes:
        """A digest: here where this Python knows the algorithm, at the gateway otherwise."""
        try:
            return hashlib.new(algorithm, data).digest()
        except ValueError:
            body = {"data_base64": _text(data), "algorithm": algorithm}
            return _bytes(self._call("POST", "/v1/digest", body)["digest_base64"])

    def random(self, length: int) -> bytes:
        """Random octets from a machine, at most 65,536."""
        return _bytes(self._call("POST", "/v1/random", {"length": length})["random_base64"])

    # What there is

    def public_key(self, key: str) -> PublicKey:
        """The public half of a key; remembered, because a label never changes its key."""
        known = self._public_keys.get(key)
        if known is None:
            found = self._call("GET", "/v1/public-keys/" + quote(key, safe=""), None)
            known = PublicKey(found["label"], found["uri"], found["algorithm"], _bytes(found["public_key_base64"]))
            self._public_keys[key] = known
        return known

    def certificates(self, key: str) -> list[bytes]:
        """DER certificates of a key, the oldest first."""
        found = self._call("GET", "/v1/certificates/" + quote(key, safe=""), None)
        return [_bytes(text) for text in found["certificates"]]

    def validate_certificate(self, certificate: bytes) -> Json:
        """What the gateway finds of a DER certificate: ``verdict`` is valid, invalid or indeterminate, with steps."""
        body = {"certificate_base64": _text(certificate)}
        return self._call("POST", "/v1/certificates/validate", body)

    def health(self) -> Json:
        """``status`` is ok or degraded; :class:`BusyError` when no machine is up."""
        return self._call("GET", "/v1/health", None)

    def call(
        self, method: str, path: str, body: Json | None = None, *, headers: Mapping[str, str] | None = None
    ) -> Json:
        """Any other operation of the interface: the JSON that it answers."""
        return self._call(method, path, body, headers)

    def close(self) -> None:
        """Close the connections that are kept; calls that are under way close theirs when they end."""
        with self._lock:
            self._closed = True
            kept = [connection for idle in self._idle.values() for connection in idle]
            self._idle.clear()
        for connection in kept:
            connection.close()

    def __enter__(self) -> Gateway:  # noqa: PYI034 - typing.Self is newer than 3.8
        return self

    def __exit__(self, *_exception: object) -> None:
        self.close()

    # Digests of files

    def _file_digest(self, public_key: PublicKey, path: str | Path, sm2_id: str | None) -> bytes | None:
        """The digest that the key signs, or None for SM2 where this Python knows no SM3."""
        if public_key.algorithm == "sm2":
            try:
                digest = hashlib.new("sm3")
            except ValueError:
                return None
            digest.update(_z(public_key.der, (sm2_id or DEFAULT_SM2_ID).encode()))
        elif sm2_id is not None:
            raise ValueError("an SM2 identifier goes with an SM2 key")
        else:
            digest = hashlib.sha256()
        with Path(path).open("rb") as file:
            for chunk in iter(lambda: file.read(_CHUNK_BYTES), b""):
                digest.update(chunk)
        return digest.digest()

    # Requests

    @contextmanager
    def within(self, seconds: float) -> Iterator[None]:
        """Give all calls of this thread inside the block that many seconds together, in place of the usual time-out."""
        before = getattr(self._local, "deadline", None)
        deadline = time.monotonic() + seconds
        self._local.deadline = deadline if before is None else min(deadline, before)
        try:
            yield
        finally:
            self._local.deadline = before

    def _call(self, method: str, path: str, body: Json | None, headers: Mapping[str, str] | None = None) -> Json:
        """Make a request until it is answered, refused for good, or the deadline is over."""
        deadline = getattr(self._local, "deadline", None) or time.monotonic() + self._timeout
        octets = None if body is None else json.dumps(body).encode()
        pause, renewed = _FIRST_PAUSE_SECONDS, False
        while True:
            if time.monotonic() >= deadline:
                raise DeadlineError("deadline", "The time given for the call is over.")
            try:
                return self._attempt(method, path, octets, headers or {}, deadline)
            except UnauthenticatedError as refused:
                # A token that was revoked or has just run out: one new one, then the refusal stands.
                if renewed or self._token_address is None or refused.code.startswith("oauth."):
                    raise
                renewed = True
                with self._token_lock:
                    self._token = None
            except GatewayError as refused:
                wait = refused.retry_after or pause * (0.5 + random.random())  # noqa: S311 - spreads callers
                if (refused.status and refused.status not in _REPEATED) or time.monotonic() + wait >= deadline:
                    raise
                time.sleep(wait)
                pause = min(2 * pause, _LONGEST_PAUSE_SECONDS)

    def _attempt(
        self, method: str, path: str, octets: bytes | None, headers: Mapping[str, str], deadline: float
    ) -> Json:
        sent = {"Accept": "application/json", "Authorization": "Bearer " + self._bearer(deadline)}
        if octets is not None:
            sent["Content-Type"] = "application/json"
        sent.update(headers)
        full = self._base.path + path
        return self._exchange(self._base, method, octets, path=full, headers=sent, deadline=deadline)

    def _bearer(self, deadline: float) -> str:
        """A token that is good for a while, from the cache or a new one."""
        with self._token_lock:
            if self._token is not None and time.monotonic() < self._token_until:
                return self._token
            if self._token_address is None or self._client_id is None or self._client_secret is None:
                raise UnauthenticatedError("oauth.none", "Give a token, or an address with an identifier and a secret.")
            credentials = quote(self._client_id, safe="") + ":" + quote(self._client_secret, safe="")
            headers = {
                "Accept": "application/json",
                "Authorization": "Basic " + base64.b64encode(credentials.encode()).decode(),
                "Content-Type": "application/x-www-form-urlencoded",
            }
            asked = {"scope": " ".join(self._scopes)} if self._scopes else {}
            form = urlencode({"grant_type": "client_credentials", **asked}).encode()
            address = self._token_address
            answer = self._exchange(address, "POST", form, path=address.path, headers=headers, deadline=deadline)
            token = self._token = str(answer["access_token"])
            lifetime = float(answer.get("expires_in", 300))
            self._token_until = time.monotonic() + max(1.0, lifetime - min(_TOKEN_SPARE_SECONDS, lifetime / 2))
            return token

    def _exchange(
        self, address: SplitResult, method: str, octets: bytes | None, *, path: str, headers: Mapping[str, str],
        deadline: float,
    ) -> Json:  # fmt: skip
        """One request and its answer. A kept connection that the server has closed is opened again, once."""
        for fresh in (False, True):
            connection, kept = self._connection(address, fresh=fresh)
            connection.timeout = max(0.001, deadline - time.monotonic())
            if connection.sock is not None:
                connection.sock.settimeout(connection.timeout)
            try:
                connection.request(method, path or "/", octets, dict(headers))
                answer = connection.getresponse()
                content = answer.read(_LONGEST_ANSWER_BYTES)
                break
            except (http.client.HTTPException, OSError) as broken:
                connection.close()
                timed_out = isinstance(broken, (socket.timeout, TimeoutError))
                if not kept or timed_out:
                    kind = DeadlineError if timed_out and time.monotonic() >= deadline else BusyError
                    raise kind("connection", f"The gateway cannot be reached: {type(broken).__name__}.") from broken
        self._keep(address, connection, reusable=not answer.will_close)
        return _read(answer, content)

    def _connection(self, address: SplitResult, *, fresh: bool) -> tuple[http.client.HTTPConnection, bool]:
        """A connection that nobody else uses, and whether it was kept from an earlier request."""
        with self._lock:
            idle = self._idle.get(address[:2])
            if idle and not fresh:
                return idle.pop(), True
        host = address.hostname or ""
        if address.scheme == "https":
            context = self._context or ssl.create_default_context()
            return http.client.HTTPSConnection(host, address.port, context=context), False
        return http.client.HTTPConnection(host, address.port), False

    def _keep(self, address: SplitResult, connection: http.client.HTTPConnection, *, reusable: bool) -> None:
        with self._lock:
            idle = self._idle.setdefault(address[:2], [])
            if reusable and not self._closed and len(idle) < _KEPT:
                idle.append(connection)
                return
        connection.close()


def _read(answer: http.client.HTTPResponse, content: bytes) -> Json:
    """The JSON of an answer, or its error."""
    try:
        body = json.loads(content.decode()) if content else {}
    except ValueError:
        body = None
    if 200 <= answer.status < 300 and body is not None:
        return body
    problem = body if isinstance(body, dict) else {}
    code = str(problem.get("code") or "")
    if not code and "error" in problem:
        code = f"oauth.{problem['error']}"
    detail = problem.get("detail") or problem.get("error_description") or f"The gateway answered {answer.status}."
    kind = _BY_STATUS.get(answer.status, RefusedError)
    raise kind(
        code or f"http.{answer.status}",
        str(detail),
        answer.status,
        facts=problem.get("facts"),
        retry_after=_retry_after(answer),
    )


def _retry_after(answer: http.client.HTTPResponse) -> float | None:
    value = answer.getheader("Retry-After", "")
    return float(value) if value.isascii() and value.isdigit() else None


def _signature(answer: Json, item: Json) -> Signature | GatewayError:
    if item.get("error"):
        return _item_error(item["error"])
    return Signature(_bytes(item["signature_base64"]), answer["algorithm"], answer["key"])


def _verdict(item: Json) -> Verdict | GatewayError:
    return _item_error(item["error"]) if item.get("error") else Verdict(item["valid"], item["reason"])


def _item_error(error: Json) -> GatewayError:
    return RefusedError(str(error.get("code")), str(error.get("detail")), 200)


def _content(message: bytes | None, digest: bytes | None, sm2_id: str | None) -> Json:
    content: Json = {}
    if message is not None:
        content["message_base64"] = _text(message)
    if digest is not None:
        content["digest_base64"] = _text(digest)
    if len(content) != 1:
        raise ValueError("give either a message or its digest")
    if sm2_id is not None:
        content["sm2_id"] = sm2_id
    return content


def _source(key: str | None, public_key: bytes | None, certificate: bytes | None) -> Json:
    source: Json = {}
    if key is not None:
        source["key"] = key
    if public_key is not None:
        source["public_key_base64"] = _text(public_key)
    if certificate is not None:
        source["certificate_base64"] = _text(certificate)
    if len(source) != 1:
        raise ValueError("give one of a key, a public key and a certificate")
    return source


def _z(public_key_der: bytes, identifier: bytes) -> bytes:
    """Z of GB/T 32918.2-2016 §5.5; an SM2 public key ends with its 65-byte point."""
    digest = hashlib.new("sm3")
    digest.update((8 * len(identifier)).to_bytes(2, "big") + identifier + _CURVE + public_key_der[-64:])
    return digest.digest()


def _text(octets: bytes) -> str:
    return base64.b64encode(octets).decode("ascii")


def _bytes(text: str) -> bytes:
    return base64.b64decode(text, validate=True)
