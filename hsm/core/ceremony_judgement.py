"""Judging the transcript of a key ceremony from its files alone."""

import base64
import binascii
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from hsm.core.ceremony import MIN_REVIEWERS, Ceremony, file_digest, parse
from hsm.core.ceremony_plan import FOUND, StepKind, differences, plan
from hsm.core.ceremony_transcript import key_facts, read_transcript
from hsm.core.uri import key_uri
from trustcore.crypto import sm2
from trustcore.crypto.algorithms import KeyAlgorithm, SignatureAlgorithm
from trustcore.crypto.digests import sm3
from trustcore.crypto.verify import verify
from trustcore.errors import TrustError
from trustcore.report import Report, ReportBuilder, Status
from trustcore.x509.cms import SignedData
from trustcore.x509.cms_verify import verify_signer
from trustcore.x509.public_keys import PublicKeyInfo
from trustcore.x509.requests import parse_request

__all__ = ["verify_transcript"]

_SCRIPT = "RFC 3647 §4.5.2"
_KEYS = "RFC 3647 §4.6.1"
_LOG = "RFC 3647 §4.5.4"
_SIGNATURE = "GB/T 32918.2-2016 §7"
_KINDS = {
    KeyAlgorithm.SM2: "SM2",
    KeyAlgorithm.EC_P256: "P-256",
    KeyAlgorithm.RSA_2048: "RSA 2048",
    KeyAlgorithm.RSA_3072: "RSA 3072",
}


def verify_transcript(
    data: bytes,
    signature: bytes,
    public_key_der: bytes,
    *,
    trusted_key_der: bytes | None = None,
    cms_der: bytes | None = None,
) -> Report:
    """Judge a transcript from its files.

    Args:
        data: the JSON as it was received.
        signature: DER SM2 signature over ``data``.
        public_key_der: SubjectPublicKeyInfo that came with it; proves nothing by itself.
        trusted_key_der: the installation's audit key from elsewhere. Without it the report cannot tell who signed.
        cms_der: the detached CMS over ``data``, where there is one; it has to be by the same key. Whether its
            certificate is to be trusted is another question.
    """
    builder = ReportBuilder("key-ceremony")
    signed = _is_signed(data, signature, public_key_der)
    builder.check(
        signed, "hsm.ceremony.signature", clause=_SIGNATURE, evidence={"transcript_sm3": sm3(data).hex()},
        zh="签名与记录相符" if signed else "签名与记录不符",
        en="The signature fits the transcript" if signed else "The signature does not fit the transcript",
    )  # fmt: skip
    _check_signer(builder, public_key_der, trusted_key_der)
    if cms_der is not None:
        _check_cms(builder, data, cms_der, public_key_der)
    content = _read(data)
    builder.check(
        content is not None, "hsm.ceremony.form", clause=_LOG,
        zh="记录为规范形式" if content else "记录不是规范形式",
        en="The transcript has its canonical form" if content else "The transcript does not have its canonical form",
    )  # fmt: skip
    if content is not None:
        file = _check_file(builder, content)
        if file is not None:
            _check_reviews(builder, content, file)
            _check_steps(builder, content, file)
            _check_times(builder, content)
            _check_keys(builder, content)
            _tell(builder, content, file)
    return builder.build()


def _read(data: bytes) -> Mapping[str, Any] | None:
    try:
        return read_transcript(data)
    except TrustError:
        return None


def _is_signed(data: bytes, signature: bytes, public_key_der: bytes) -> bool:
    try:
        sm2.public_point(public_key_der)
        return verify(public_key_der, SignatureAlgorithm.SM2_SM3, data, signature)
    except TrustError:
        return False


def _check_signer(builder: ReportBuilder, public_key_der: bytes, trusted_key_der: bytes | None) -> None:
    evidence = {"public_key_sm3": sm3(public_key_der).hex()}
    if trusted_key_der is None:
        builder.add(
            Status.INDETERMINATE, "hsm.ceremony.signer", clause=_SIGNATURE, evidence=evidence,
            zh="未给出可信的审计公钥，无法判定由谁签署",
            en="No trusted audit key was given, so nobody can tell who signed",
        )  # fmt: skip
        return
    same = trusted_key_der == public_key_der
    builder.check(
        same, "hsm.ceremony.signer", clause=_SIGNATURE, evidence=evidence,
        zh="由可信的审计密钥签署" if same else "不是可信的审计密钥签署",
        en="The trusted audit key signed it" if same else "Another key than the trusted audit key signed it",
    )  # fmt: skip


def _check_cms(builder: ReportBuilder, data: bytes, cms_der: bytes, public_key_der: bytes) -> None:
    try:
        signed_data = SignedData.from_der(cms_der)
        verified = [verify_signer(signed_data, signer, content=data) for signer in signed_data.signers]
    except TrustError:
        verified = []
    right = bool(verified) and all(
        found.passed and found.certificate is not None and found.certificate.public_key_der == public_key_der
        for found in verified
    )
    builder.check(
        right, "hsm.ceremony.cms", clause="RFC 5652 §5.6",
        zh="CMS 签名与记录相符，证书属于审计密钥" if right else "CMS 签名与记录不符，或证书不属于审计密钥",
        en="The CMS signature fits the transcript, and its certificate is over the audit key" if right
        else "The CMS signature does not fit the transcript, or its certificate is not over the audit key",
    )  # fmt: skip


def _check_file(builder: ReportBuilder, content: Mapping[str, Any]) -> Ceremony | None:
    try:
        data = str(content["file"]).encode()
        file = parse(data)
    except (TrustError, UnicodeEncodeError):
        file, data = None, b""
    right = file is not None and file_digest(data).hex() == content["file_sm3"]
    builder.check(
        right, "hsm.ceremony.file", clause=_SCRIPT, evidence={"file_sm3": file_digest(data).hex()},
        zh="仪式文件有效，摘要相符" if right else "仪式文件无效或摘要不符",
        en="The ceremony file is well-formed and its digest fits" if right
        else "The ceremony file is not well-formed or its digest does not fit",
    )  # fmt: skip
    return file


def _check_reviews(builder: ReportBuilder, content: Mapping[str, Any], file: Ceremony) -> None:
    names = [str(review["reviewer"]) for review in content["reviews"]]
    known = {person.name for person in file.person}
    right = len(set(names)) >= MIN_REVIEWERS and len(set(names)) == len(names) and known.issuperset(names)
    right = right and _in_order([*sorted(str(r["at"]) for r in content["reviews"]), content["started_at"]])
    builder.check(
        right, "hsm.ceremony.reviews", clause=_SCRIPT, evidence={"reviewers": ", ".join(names)},
        zh="至少两人事先审核了该文件" if right else "事先审核该文件的不足两人",
        en="At least two persons approved the file before it began" if right
        else "Fewer than two persons approved the file before it began",
    )  # fmt: skip


def _check_steps(builder: ReportBuilder, content: Mapping[str, Any], file: Ceremony) -> None:
    expected = [
        {"number": s.number, "kind": s.kind.value, "subject": s.subject, "zh": s.zh, "en": s.en,
         "expected": dict(s.expected)}
        for s in plan(file)
    ]  # fmt: skip
    found = [{name: step[name] for name in expected[0]} for step in content["steps"]]
    builder.check(
        found == expected, "hsm.ceremony.plan", clause=_SCRIPT, evidence={"steps": str(len(expected))},
        zh="步骤与文件一致" if found == expected else "步骤与文件不一致",
        en="The steps are those of the file" if found == expected else "The steps are not those of the file",
    )  # fmt: skip
    present = {person.name for person in file.present}
    for step in content["steps"]:
        missed = differences(step["expected"], step["actual"])
        right = (
            not missed
            and str(step["confirmed_by"]) in present
            and FOUND.get(str(step["kind"]), frozenset()) >= set(step["actual"])
        )
        builder.check(
            right, f"hsm.ceremony.step.{step['kind']}", clause=_SCRIPT,
            evidence={"step": str(step["number"]), "subject": str(step["subject"]), "differs": ", ".join(missed),
                      "confirmed_by": str(step["confirmed_by"])},
            zh=f"第 {step['number']} 步与预期一致：{step['zh']}" if right else f"第 {step['number']} 步与预期不符",
            en=f"Step {step['number']} went as expected: {step['en']}" if right
            else f"Step {step['number']} did not go as expected",
        )  # fmt: skip


def _check_times(builder: ReportBuilder, content: Mapping[str, Any]) -> None:
    steps = content["steps"]
    times = [content["started_at"]]
    for step in steps:
        times += [step["begun_at"], step["acted_at"], step["confirmed_at"]]
    right = _in_order([*times, content["finished_at"]])
    builder.check(
        right, "hsm.ceremony.times", clause=_LOG,
        zh="时间先后有序" if right else "时间先后混乱",
        en="The times follow one another" if right else "The times do not follow one another",
    )  # fmt: skip


def _in_order(times: Sequence[object]) -> bool:
    try:
        read = [datetime.fromisoformat(str(time)) for time in times]
        return read == sorted(read)
    except (ValueError, TypeError):
        return False


def _check_keys(builder: ReportBuilder, content: Mapping[str, Any]) -> None:
    keys: dict[str, bytes] = {}
    for step in content["steps"]:
        label, actual = str(step["subject"]), step["actual"]
        if step["kind"] == StepKind.GENERATE:
            keys[label] = _octets(actual.get("public_key", ""))
            right = _is_key(actual, keys[label], label)
            builder.check(
                right, "hsm.ceremony.key", clause=_KEYS, evidence={"label": label},
                zh=f"密钥 {label} 的公钥与摘要相符" if right else f"密钥 {label} 的公钥与摘要不符",
                en=f"The public key of {label} fits its digests" if right
                else f"The public key of {label} does not fit its digests",
            )  # fmt: skip
        elif step["kind"] == StepKind.REQUEST:
            right = _is_request(actual, keys.get(label, b""))
            builder.check(
                right, "hsm.ceremony.request", clause="RFC 2986 §4", evidence={"label": label},
                zh=f"证书请求由密钥 {label} 签名" if right else f"证书请求不是密钥 {label} 的",
                en=f"The certificate request is signed with the key {label}" if right
                else f"The certificate request is not that of the key {label}",
            )  # fmt: skip


def _octets(text: str) -> bytes:
    try:
        return base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        return b""


def _is_key(actual: Mapping[str, str], public_key_der: bytes, label: str) -> bool:
    """Whether URI, digests and kind are those of this public key."""
    try:
        said = key_facts(public_key_der) | {"uri": key_uri(label)}
        kind = _KINDS[KeyAlgorithm(actual.get("algorithm", ""))]
        return said.items() <= actual.items() and PublicKeyInfo.from_der(public_key_der).name == kind
    except (ValueError, TrustError):
        return False


def _is_request(actual: Mapping[str, str], public_key_der: bytes) -> bool:
    try:
        request = parse_request(_octets(actual.get("request", "")))
    except TrustError:
        return False
    digest_fits = sm3(request.der).hex() == actual.get("request_sm3")
    return digest_fits and request.public_key_der == public_key_der and request.subject.text == actual.get("subject")


def _tell(builder: ReportBuilder, content: Mapping[str, Any], file: Ceremony) -> None:
    builder.facts |= {
        "id": str(content["id"]),
        "title": file.ceremony.title,
        "started_at": str(content["started_at"]),
        "finished_at": str(content["finished_at"]),
    }
    software = [step["actual"].get("software") for step in content["steps"] if step["kind"] == StepKind.MACHINE]
    right = {"yes", "no"}.issuperset(software) and content["software"] == ("yes" in software)
    right = right and (content["rehearsal"] or not file.ceremony.rehearsal)
    builder.check(
        right, "hsm.ceremony.kind", clause=_SCRIPT,
        zh="演练与软件加密机如实注明" if right else "演练或软件加密机未如实注明",
        en="A rehearsal and software machines are told as such" if right
        else "A rehearsal or software machines are not told as such",
    )  # fmt: skip
    if content["rehearsal"] or content["software"]:
        builder.add(
            Status.WARNING, "hsm.ceremony.rehearsal", clause=_SCRIPT,
            zh="这是演练或使用了软件加密机，其密钥不得用于生产",
            en="This was a rehearsal or used software machines; its keys are not for production",
        )  # fmt: skip
