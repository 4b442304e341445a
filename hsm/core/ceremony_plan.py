"""The script of a key ceremony: numbered steps, each with what has to be found."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

from hsm.core.ceremony import Ceremony, Role
from trustcore.signing import KeyPurpose

__all__ = ["FOUND", "PlannedStep", "StepKind", "differences", "plan"]

_ROLES_ZH = {
    Role.MASTER: "主持人",
    Role.OPERATOR: "操作员",
    Role.WITNESS: "见证人",
    Role.CUSTODIAN: "密钥分管员",
    Role.REVIEWER: "审核人",
}


class StepKind(StrEnum):
    """What happens in a step."""

    PERSON = "person"
    MACHINE = "machine"
    ABSENT = "absent"
    ACTIVATION = "activation"
    GENERATE = "generate"
    PROVE = "prove"
    REQUEST = "request"
    CLOSE = "close"


_KEY_FACTS = {"uri", "public_key", "public_key_sm3", "public_key_sha256"}

FOUND: Mapping[str, frozenset[str]] = {
    StepKind.PERSON: frozenset({"name", "role"}),
    StepKind.MACHINE: frozenset({"serial", "manufacturer", "model", "library", "software"}),
    StepKind.ABSENT: frozenset({"present"}),
    StepKind.ACTIVATION: frozenset({"threshold", "shares", "set"}),
    StepKind.GENERATE: frozenset({"algorithm", "purpose", "machines", "usage_limit", *_KEY_FACTS}),
    StepKind.PROVE: frozenset({"signed"}),
    StepKind.REQUEST: frozenset({"subject", "request", "request_sm3"}),
    StepKind.CLOSE: frozenset(),
}
"""Names of what can be found in a step of each kind."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PlannedStep:
    """One line of the script."""

    number: int
    """1, 2, 3 …"""
    kind: StepKind
    subject: str
    """Whom or what it is about: a name, a label; empty for the last step."""
    zh: str
    en: str
    expected: Mapping[str, str]
    """What has to be found, by name."""


def plan(file: Ceremony) -> tuple[PlannedStep, ...]:
    """The script: the same file always gives the same steps."""
    found = [*_opening(file), *_making(file)]
    found.append(
        (StepKind.CLOSE, "", "全部步骤与预期一致，签署记录，仪式结束",
         "All steps were as expected; the transcript is signed and the ceremony ends", {})
    )  # fmt: skip
    return tuple(
        PlannedStep(number=number, kind=kind, subject=subject, zh=zh, en=en, expected=expected)
        for number, (kind, subject, zh, en, expected) in enumerate(found, start=1)
    )


_Line = tuple[StepKind, str, str, str, dict[str, str]]


def _opening(file: Ceremony) -> Sequence[_Line]:
    lines: list[_Line] = [
        (StepKind.PERSON, person.name, f"核验{_ROLES_ZH[person.role]}{person.name}的身份并到场",
         f"{person.name} ({person.role}) has come and was identified", {"name": person.name, "role": person.role.value})
        for person in file.present
    ]  # fmt: skip
    for machine in file.machine:
        said = {name: getattr(machine, name) for name in ("serial", "manufacturer", "model", "library")}
        expected = {name: value for name, value in said.items() if value is not None}
        lines.append(
            (StepKind.MACHINE, machine.name, f"加密机 {machine.name} 与文件所述一致",
             f"The encryption machine {machine.name} is the one that the file describes", expected)
        )  # fmt: skip
    labels = dict.fromkeys([*(key.label for key in file.key), *file.before.absent])
    lines += [
        (StepKind.ABSENT, label, f"标签 {label} 尚无密钥", f"No key has the label {label}", {"present": "no"})
        for label in labels
    ]
    if file.activation is not None:
        k, n = file.activation.threshold, file.activation.shares
        lines.append(
            (StepKind.ACTIVATION, "", f"激活秘密已分给 {n} 名分管员，任意 {k} 份可激活",
             f"The activation secret is shared among {n} custodians, of whom any {k} activate the machines",
             {"threshold": str(k), "shares": str(n)})
        )  # fmt: skip
    return lines


def _making(file: Ceremony) -> Sequence[_Line]:
    lines: list[_Line] = []
    for key in file.key:
        machines = " ".join(file.holders(key))
        expected = {"algorithm": key.algorithm.value, "purpose": key.purpose.value, "machines": machines}
        if key.usage_limit is not None:
            expected["usage_limit"] = str(key.usage_limit)
        lines.append(
            (StepKind.GENERATE, key.label, f"生成密钥 {key.label}（{key.algorithm}）",
             f"Generate the key {key.label} ({key.algorithm})", expected)
        )  # fmt: skip
        if key.purpose is not KeyPurpose.ENCRYPTION:
            lines.append(
                (StepKind.PROVE, key.label, f"每台加密机用密钥 {key.label} 签名并验证",
                 f"Every machine signs with the key {key.label}, and the signature is verified", {"signed": machines})
            )  # fmt: skip
        if key.request_subject is not None:
            lines.append(
                (StepKind.REQUEST, key.label, f"为密钥 {key.label} 制作证书请求",
                 f"Make a certificate request for the key {key.label}", {"subject": key.request_subject})
            )  # fmt: skip
    return lines


def differences(expected: Mapping[str, str], actual: Mapping[str, str]) -> tuple[str, ...]:
    """Names of what was not found as expected; machines may say more than was asked."""
    return tuple(name for name, value in expected.items() if actual.get(name) != value)
