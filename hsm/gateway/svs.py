"""The signature server operations of GM/T 0029: raw signatures, signed messages, certificates.

Keys go by index. ``keyValue``, the access code of a key, is not looked at: what an application may do is what its token
and its grants say. Operations in several packets hand the state of the digest out and take it back.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from hsm.core.messages import MessageParts, authenticated_attributes, signed_message
from hsm.core.running_digest import RunningDigest
from hsm.core.svs import CERTIFICATE_INFO, SM3_SM2, CertificateState, SvsCode, SvsError, VerifyLevel
from hsm.gateway import judging
from hsm.gateway.content import Content
from hsm.gateway.keys import KeySource
from hsm.gateway.service import GatewayService
from hsm.gateway.verifying import Question
from hsm.service import HsmService
from trustcore.crypto import sm2
from trustcore.crypto.digests import sm3
from trustcore.errors import MalformedError, NotFoundError, RejectedError, TrustError
from trustcore.report import Report, Status, Verdict
from trustcore.x509.certificate import Certificate
from trustcore.x509.cms import SignedData, SignerInfo, signature_der

__all__ = ["MessageOptions", "SignatureServer"]


_PACKET_BYTES = 64 * 1024
"""Most bytes of one packet: its digest is worked out in Python, which holds up other requests for that long."""


@dataclass(frozen=True, slots=True, kw_only=True)
class MessageOptions:
    """What a signed message carries."""

    original_text: bool = False
    certificate_chain: bool = False
    crl: bool = False
    authentication_attributes: bool = False


class SignatureServer:
    """The operations. Safe to share between threads. ``application`` is who asks.

    All raise ``SvsError`` for what has a response code; rights, quotas and machines that are down are ``TrustError``.

    Args:
        gateway: does what needs a key.
        hsm: knows the certificates of keys.
        clock: the present time.
    """

    def __init__(self, gateway: GatewayService, hsm: HsmService, clock: Callable[[], datetime]) -> None:
        self._gateway = gateway
        self._hsm = hsm
        self._judge = gateway.judge
        self._clock = clock
        self._labels = gateway.settings.svs_keys

    # Certificates

    def export_certificate(self, identification: str) -> bytes:
        """The newest certificate of a key: by index, label, or the certificate's serial number in hexadecimal."""
        indexes = {str(index): label for index, label in enumerate(self._labels, start=1)}
        identification = indexes.get(identification.lstrip("0"), identification)
        if (found := self._newest(identification)) is not None:
            return found.der
        for label in self._labels:
            for der in self._hsm.certificates(label):
                if f"{Certificate.from_der(der).serial_number:X}" == identification.upper().lstrip("0"):
                    return der
        raise SvsError(SvsCode.CERTIFICATE_ID)

    def parse_certificate(self, certificate_der: bytes, info_type: int) -> str:
        """One item of a certificate as text; see :data:`hsm.core.svs.CERTIFICATE_INFO`."""
        certificate = _certificate(certificate_der)
        if info_type not in CERTIFICATE_INFO:
            raise SvsError(SvsCode.PARAMETER)
        return CERTIFICATE_INFO[info_type](certificate)

    def validate_certificate(self, certificate_der: bytes) -> CertificateState:
        """Whether a certificate is valid now; where that cannot be told, its state is unknown."""
        _certificate(certificate_der)
        report = self._judge.validate(certificate_der, self._clock())
        if report.verdict is Verdict.VALID:
            return CertificateState.VALID
        revoked = any(_is(step.code, "revocation") and step.status is Status.FAILED for step in report.steps)
        return CertificateState.REVOKED if revoked else CertificateState.UNKNOWN

    # Raw signatures 裸签名

    def sign_data(self, application: str, method: int, index: int, data: bytes) -> bytes:
        """A signature over data: DER for SM2."""
        return self._sign(application, method, index, Content(message=data))

    def sign_digest(self, application: str, method: int, index: int, state: bytes) -> bytes:
        """A signature over what came in several packets."""
        return self._sign(application, method, index, Content(digest=RunningDigest.from_state(state).digest()))

    def verify_data(
        self, application: str, certificate_der: bytes, data: bytes, signature: bytes, *, level: int
    ) -> None:
        """Verify a signature over data and, as far as asked, the signer's certificate."""
        self._verify(application, certificate_der, Content(message=data), signature)
        self._judge_signer(certificate_der, level)

    def verify_digest(
        self, application: str, certificate_der: bytes, state: bytes, signature: bytes, *, level: int
    ) -> None:
        """Verify a signature over what came in several packets."""
        digest = RunningDigest.from_state(state).digest()
        self._verify(application, certificate_der, Content(digest=digest), signature)
        self._judge_signer(certificate_der, level)

    # Several packets

    def begin(self, method: int, data: bytes, *, public_key: bytes | None, identifier: bytes | None) -> bytes:
        """The state of a digest after its first packet; with a public key it begins with Z."""
        _check_packet(method, data)
        digest = RunningDigest()
        if public_key is not None:
            digest = digest.update(sm2.z_value(_point(public_key), identifier or sm2.DEFAULT_ID))
        return digest.update(data).state

    @staticmethod
    def go_on(method: int, state: bytes, data: bytes) -> bytes:
        """The state after one more packet."""
        _check_packet(method, data)
        return RunningDigest.from_state(state).update(data).state

    # Signed messages

    def sign_message(self, application: str, method: int, index: int, data: bytes, options: MessageOptions) -> bytes:
        """A DER SignedData (GM/T 0010) over data."""
        _check_method(method)
        attributes = authenticated_attributes(data, self._clock()) if options.authentication_attributes else None
        signature = self._sign(application, method, index, Content(message=data if attributes is None else attributes))
        return self._message(index, signature, options, data if options.original_text else None, attributes)

    def sign_message_digest(self, application: str, method: int, index: int, state: bytes) -> bytes:
        """A DER SignedData without the content, over what came in several packets."""
        signature = self.sign_digest(application, method, index, state)
        return self._message(index, signature, MessageOptions(), None, None)

    def verify_message(self, application: str, message_der: bytes, data: bytes | None, *, level: int) -> None:
        """Verify a DER SignedData; ``data`` is the content where it carries none."""
        signed, signer, certificate = _read_message(message_der)
        content = signed.content if signed.content is not None else data
        if content is None or (data is not None and data != content):
            raise SvsError(SvsCode.SIGNATURE if content is not None else SvsCode.PARAMETER)
        covered = content
        if signer.signed_attributes_der is not None:
            if signer.message_digest != sm3(content):
                raise SvsError(SvsCode.SIGNATURE)
            covered = signer.signed_attributes_der
        self._verify(application, certificate.der, Content(message=covered), signature_der(signer))
        self._judge_signer(certificate.der, level)

    def verify_message_digest(self, application: str, message_der: bytes, state: bytes, *, level: int) -> None:
        """Verify a DER SignedData over what came in several packets; it has no authenticated attributes."""
        _, signer, certificate = _read_message(message_der)
        if signer.signed_attributes_der is not None:
            raise SvsError(SvsCode.DATA_FORMAT)
        digest = RunningDigest.from_state(state).digest()
        self._verify(application, certificate.der, Content(digest=digest), signature_der(signer))
        self._judge_signer(certificate.der, level)

    # What they share

    def _label(self, index: int) -> str:
        if not 1 <= index <= len(self._labels):
            raise SvsError(SvsCode.KEY_INDEX)
        return self._labels[index - 1]

    def _newest(self, name: str) -> Certificate | None:
        try:
            found = self._hsm.certificates(self._gateway.directory.find(name).label)
        except (NotFoundError, MalformedError):
            return None
        return Certificate.from_der(found[-1]) if found else None

    def _sign(self, application: str, method: int, index: int, content: Content) -> bytes:
        _check_method(method)
        label = self._label(index)
        try:
            signature, _ = self._gateway.sign(application, label, content)
        except (NotFoundError, RejectedError) as error:
            raise SvsError(SvsCode.KEY_INDEX) from error
        return signature

    def _verify(self, application: str, certificate_der: bytes, content: Content, signature: bytes) -> None:
        _certificate(certificate_der)
        question = Question(content=content, signature=signature)
        (verdict,) = self._gateway.verify(application, KeySource(certificate_der=certificate_der), [question])
        if isinstance(verdict, TrustError) or not verdict.valid:
            raise SvsError(SvsCode.SIGNATURE)

    def _judge_signer(self, certificate_der: bytes, level: int) -> None:
        """Raise the code of what is wrong with a signer's certificate, as far as ``level`` looks."""
        if level not in list(VerifyLevel):
            raise SvsError(SvsCode.PARAMETER)
        certificate, now = _certificate(certificate_der), self._clock()
        if now < certificate.not_before:
            raise SvsError(SvsCode.CERTIFICATE_NOT_YET)
        if now > certificate.not_after:
            raise SvsError(SvsCode.CERTIFICATE_EXPIRED)
        if level == VerifyLevel.TIME:
            return
        code = _problem(self._judge.validate(certificate_der, now), with_revocation=level > VerifyLevel.TIME_AND_ROOT)
        if code is not None:
            raise SvsError(code)

    def _message(
        self, index: int, signature: bytes, options: MessageOptions, content: bytes | None, attributes: bytes | None
    ) -> bytes:
        certificate = self._newest(self._label(index))
        if certificate is None:
            raise SvsError(SvsCode.CERTIFICATE)
        settings = self._gateway.settings
        chain = judging.intermediates(settings) if options.certificate_chain else ()
        lists = judging.crls(settings) if options.crl else ()
        parts = MessageParts(
            certificate=certificate,
            signature_der=signature,
            content=content,
            attributes_der=attributes,
            certificates=(certificate.der, *(item.der for item in chain)),
            crls=tuple(item.der for item in lists),
        )
        return signed_message(parts)


def _is(code: str, what: str) -> bool:
    return code.rsplit(".", 1)[-1] == what


def _problem(report: Report, *, with_revocation: bool) -> SvsCode | None:
    """The first thing that keeps a certificate from being acceptable."""
    for step in report.problems:
        if not _is(step.code, "revocation"):
            return SvsCode.CERTIFICATE
        if with_revocation:
            return SvsCode.CERTIFICATE_REVOKED if step.status is Status.FAILED else SvsCode.CERTIFICATE
    return None


def _certificate(certificate_der: bytes) -> Certificate:
    try:
        return Certificate.from_der(certificate_der)
    except MalformedError as error:
        raise SvsError(SvsCode.CERTIFICATE_DECODE) from error


def _point(public_key: bytes) -> bytes:
    """The point of a bare point or of a SubjectPublicKeyInfo."""
    if len(public_key) == 65 and public_key[0] == 4:
        return public_key
    try:
        return sm2.public_point(public_key)
    except MalformedError as error:
        raise SvsError(SvsCode.PARAMETER) from error


def _check_method(method: int) -> None:
    if method != SM3_SM2:
        raise SvsError(SvsCode.SIGN_METHOD)


def _check_packet(method: int, data: bytes) -> None:
    _check_method(method)
    if len(data) > _PACKET_BYTES:
        raise SvsError(SvsCode.PARAMETER)


def _read_message(message_der: bytes) -> tuple[SignedData, SignerInfo, Certificate]:
    try:
        signed = SignedData.from_der(message_der)
    except MalformedError as error:
        raise SvsError(SvsCode.DATA_FORMAT) from error
    if len(signed.signers) != 1:
        raise SvsError(SvsCode.DATA_FORMAT)
    (signer,) = signed.signers
    certificate = next((item for item in signed.certificates if signer.is_made_by(item)), None)
    if certificate is None:
        raise SvsError(SvsCode.CERTIFICATE)
    return signed, signer, certificate
