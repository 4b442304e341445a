"""``/hsm/v1``: signing, verifying, encrypting, digests and random octets for applications."""

import json
from collections.abc import Mapping
from typing import Annotated

from fastapi import APIRouter, Path, Request
from fastapi.responses import JSONResponse, Response
from pydantic import BaseModel

from hsm.core.rights import Operation
from hsm.gateway.content import Content
from hsm.gateway.forms import SignatureForm
from hsm.gateway.keys import KeySource
from hsm.gateway.service import GatewayService, SignedBatch
from hsm.gateway.verifying import Question, Verdict
from hsm.service import HsmService
from hsm.web import gateway_bodies as bodies
from hsm.web.gateway_bodies import decode, encode
from hsm.web.gateway_callers import Callers
from trustcore.errors import MalformedError, TrustError

__all__ = ["build_router"]

_CERTIFICATE_BYTES = 48 * 1024


def build_router(gateway: GatewayService, hsm: HsmService, callers: Callers) -> APIRouter:
    """The routes of the gateway."""
    router = APIRouter(tags=["gateway"])
    _add_signing(router, gateway, callers)
    _add_verifying(router, gateway, callers)
    _add_ciphers(router, gateway, callers)
    _add_keyless(router, gateway, callers)
    _add_certificates(router, gateway, hsm, callers)
    return router


def _add_signing(router: APIRouter, gateway: GatewayService, callers: Callers) -> None:
    longest, most = int(gateway.settings.max_message), gateway.settings.max_batch

    @router.post("/v1/sign", response_model=bodies.SignAnswer, summary="Sign a message or a digest 签名")
    def sign(body: bodies.SignRequest, request: Request) -> Response:
        """Sign with a key in the machines; the algorithm is the key's. Asking twice gives two signatures."""
        caller = callers.admit(request, Operation.SIGN)
        batch = gateway.sign_batch(caller.subject, body.key, [body.content(limit=longest)], form=body.form)
        (result,) = batch.results
        if isinstance(result, TrustError):
            raise result
        return _answer(bodies.SignAnswer(signature_base64=encode(result), algorithm=batch.algorithm, key=batch.key))

    @router.post("/v1/sign/batch", response_model=bodies.BatchAnswer, summary="Sign up to 1,000 at once 批量签名")
    def sign_batch(body: bodies.BatchRequest, request: Request) -> Response:
        """Sign many with one key. An item that cannot be signed has an error, and the others their signatures."""
        caller = callers.admit(request, Operation.SIGN)
        _check_count(len(body.items), most)
        contents = [_content(item, longest) for item in body.items]
        batch = gateway.sign_batch(caller.subject, body.key, contents, form=body.form)
        return _signed(batch)


def _add_verifying(router: APIRouter, gateway: GatewayService, callers: Callers) -> None:
    longest, most = int(gateway.settings.max_message), gateway.settings.max_batch

    @router.post("/v1/verify", response_model=bodies.VerifyAnswer, summary="Verify a signature 验签")
    def verify(body: bodies.VerifyRequest, request: Request) -> Response:
        """Verify with a public key, a certificate or a key's public half. The certificate itself is not judged."""
        caller = callers.admit(request, Operation.VERIFY)
        question = _question(body, body.form, longest)
        (verdict,) = gateway.verify(caller.subject, body.source(), [question])
        if isinstance(verdict, TrustError):
            raise verdict
        return _answer(bodies.VerifyAnswer(valid=verdict.valid, reason=verdict.reason))

    @router.post("/v1/verify/batch", response_model=bodies.VerifyBatchAnswer, summary="Verify up to 1,000 批量验签")
    def verify_batch(body: bodies.VerifyBatchRequest, request: Request) -> JSONResponse:
        """Verify many signatures by one key."""
        caller = callers.admit(request, Operation.VERIFY)
        _check_count(len(body.items), most)
        questions = [_question_or_error(item, body.form, longest) for item in body.items]
        verdicts = gateway.verify(caller.subject, body.source(), questions)
        return JSONResponse({"results": [_verdict(verdict) for verdict in verdicts]})


def _add_ciphers(router: APIRouter, gateway: GatewayService, callers: Callers) -> None:
    longest = int(gateway.settings.max_message)

    @router.post("/v1/encrypt", response_model=bodies.CiphertextAnswer, summary="Encrypt for an SM2 key 加密")
    def encrypt(body: bodies.EncryptRequest, request: Request) -> Response:
        """Encrypt for the holder of an SM2 key: one in the machines, or anyone's."""
        caller = callers.admit(request, Operation.ENCRYPT)
        plaintext = decode(body.plaintext_base64, limit=longest)
        ciphertext = gateway.encrypt(caller.subject, body.source(), plaintext, form=body.form)
        return _answer(bodies.CiphertextAnswer(ciphertext_base64=encode(ciphertext)))

    @router.post("/v1/decrypt", response_model=bodies.PlaintextAnswer, summary="Decrypt with an SM2 key 解密")
    def decrypt(body: bodies.DecryptRequest, request: Request) -> Response:
        """Decrypt with an SM2 key in the machines."""
        caller = callers.admit(request, Operation.DECRYPT)
        ciphertext = decode(body.ciphertext_base64, limit=longest)
        return _answer(
            bodies.PlaintextAnswer(
                plaintext_base64=encode(gateway.decrypt(caller.subject, body.key, ciphertext, form=body.form))
            )
        )

    @router.post("/v1/sm4/encrypt", response_model=bodies.CiphertextAnswer, summary="Encrypt with an SM4 key 对称加密")
    def sm4_encrypt(body: bodies.Sm4EncryptRequest, request: Request) -> Response:
        """Encrypt with a named SM4 key in the machines."""
        caller = callers.admit(request, Operation.ENCRYPT)
        sealed = gateway.sm4_encrypt(
            caller.subject,
            body.key,
            body.mode,
            decode(body.plaintext_base64, limit=longest),
            iv=None if body.iv_base64 is None else decode(body.iv_base64, limit=16),
            associated=decode(body.associated_base64, limit=longest),
        )
        return _answer(
            bodies.CiphertextAnswer(ciphertext_base64=encode(sealed.ciphertext), iv_base64=encode(sealed.iv))
        )

    @router.post("/v1/sm4/decrypt", response_model=bodies.PlaintextAnswer, summary="Decrypt with an SM4 key 对称解密")
    def sm4_decrypt(body: bodies.Sm4DecryptRequest, request: Request) -> Response:
        """Decrypt with a named SM4 key in the machines."""
        caller = callers.admit(request, Operation.DECRYPT)
        plaintext = gateway.sm4_decrypt(
            caller.subject,
            body.key,
            body.mode,
            decode(body.ciphertext_base64, limit=longest + 16),
            iv=decode(body.iv_base64, limit=16),
            associated=decode(body.associated_base64, limit=longest),
        )
        return _answer(bodies.PlaintextAnswer(plaintext_base64=encode(plaintext)))


def _add_keyless(router: APIRouter, gateway: GatewayService, callers: Callers) -> None:
    longest = int(gateway.settings.max_message)

    @router.post("/v1/digest", response_model=bodies.DigestAnswer, summary="Digest 杂凑")
    def digest(body: bodies.DigestRequest, request: Request) -> Response:
        """The digest of the data; with a public key e = SM3(Z ‖ data), which ``/v1/sign`` takes as a digest."""
        caller = callers.admit(request, Operation.DIGEST)
        made = gateway.digest(
            caller.subject,
            body.algorithm,
            decode(body.data_base64, limit=longest),
            source=body.source() if body.is_given else None,
            identifier=body.sm2_id.encode(),
        )
        return _answer(bodies.DigestAnswer(digest_base64=encode(made), algorithm=body.algorithm))

    @router.post("/v1/random", response_model=bodies.RandomAnswer, summary="Random octets 随机数")
    def random(body: bodies.RandomRequest, request: Request) -> Response:
        """Random octets from a machine."""
        caller = callers.admit(request, Operation.RANDOM)
        return _answer(bodies.RandomAnswer(random_base64=encode(gateway.random(caller.subject, body.length))))


def _add_certificates(router: APIRouter, gateway: GatewayService, hsm: HsmService, callers: Callers) -> None:
    @router.get("/v1/public-keys/{key}", summary="Public half of a key 公钥")
    def public_key(key: Annotated[str, Path(min_length=1, max_length=250)], request: Request) -> bodies.PublicKeyAnswer:
        """What verifies a key's signatures and encrypts for it."""
        callers.admit(request, "hsm:read")
        public_key_der, record = gateway.directory.public_key(KeySource(key=key))
        assert record is not None
        return bodies.PublicKeyAnswer(
            label=record.label,
            uri=record.uri,
            algorithm=record.algorithm,
            purpose=record.purpose,
            public_key_base64=encode(public_key_der),
        )

    @router.get("/v1/certificates/{key}", summary="Certificates of a key 证书")
    def certificates(
        key: Annotated[str, Path(min_length=1, max_length=250)], request: Request
    ) -> bodies.CertificatesAnswer:
        """The certificates that are known for a key."""
        callers.admit(request, "hsm:read")
        record = gateway.directory.find(key)
        return bodies.CertificatesAnswer(
            key=record.label, certificates=[encode(der) for der in hsm.certificates(record.label)]
        )

    @router.post("/v1/certificates/validate", summary="Judge a certificate 验证证书")
    def validate(body: bodies.ValidateRequest, request: Request) -> dict[str, object]:
        """Path to a trusted root, validity, usage and revocation: a report of numbered steps."""
        callers.admit(request, Operation.VERIFY)
        if body.at is not None and body.at.tzinfo is None:
            raise MalformedError("A time needs its zone (RFC 3339).", code="hsm.certificate.time")
        certificate_der = decode(body.certificate_base64, limit=_CERTIFICATE_BYTES)
        return gateway.validate(certificate_der, at=body.at).as_json()

    @router.get("/v1/health", response_model=bodies.HealthAnswer, summary="Whether the gateway can serve 状态")
    def health() -> JSONResponse:
        """How many machines are up, as the last calls found them. Needs no token; names nothing."""
        states = hsm.machines()
        up = sum(state.up for state in states)
        status = "ok" if up == len(states) else "degraded" if up else "down"
        headers = {"Cache-Control": "no-store"} | ({} if up else {"Retry-After": "5"})
        answer = {"status": status, "machines_up": up, "machines": len(states)}
        return JSONResponse(answer, 200 if up else 503, headers)


def _answer(body: BaseModel) -> Response:
    """Written here, because FastAPI takes what a function returns to yet another thread first."""
    return Response(body.model_dump_json(), media_type="application/json")


def _signed(batch: SignedBatch) -> Response:
    """A ``BatchAnswer``; base64 needs no escapes in JSON, so a thousand signatures are only put side by side."""
    results = [
        f'{{"signature_base64":"{encode(result)}"}}' if isinstance(result, bytes) else _json(_problem(result))
        for result in batch.results
    ]
    signed = sum(isinstance(result, bytes) for result in batch.results)
    head = _json({"key": batch.key, "algorithm": batch.algorithm, "signed": signed})
    return Response(f'{head[:-1]},"results":[{",".join(results)}]}}', media_type="application/json")


def _question(body: bodies.VerifyItemBody, form: SignatureForm, longest: int) -> Question:
    content: Content = body.content(limit=longest)
    return Question(content=content, signature=decode(body.signature_base64, limit=longest), form=form)


def _check_count(count: int, most: int) -> None:
    if count > most:
        raise MalformedError(f"A batch has at most {most} items, not {count}.", code="hsm.batch.size", limit=most)


def _content(item: bodies.ItemBody, longest: int) -> Content | TrustError:
    try:
        return item.content(limit=longest)
    except TrustError as error:
        return error


def _question_or_error(item: bodies.VerifyItemBody, form: SignatureForm, longest: int) -> Question | TrustError:
    try:
        return _question(item, form, longest)
    except TrustError as error:
        return error


def _json(value: Mapping[str, object]) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def _problem(error: TrustError) -> dict[str, object]:
    return {"error": {"code": error.code, "detail": error.detail}}


def _verdict(verdict: Verdict | TrustError) -> dict[str, object]:
    if isinstance(verdict, TrustError):
        return _problem(verdict)
    return {"valid": verdict.valid, "reason": verdict.reason}
