"""The last two steps of verifying a file: is it in the register, and does its licence stand now."""

from licence_service.core.licence import Licence
from licence_service.core.states import LicenceState, stands
from trustcore.report import ReportBuilder, Status

__all__ = ["STATE_WORDS", "register_steps"]

_CLAUSE_FILE = "GB/T 36905-2018"
_CLAUSE_STATE = "GB/T 36906-2018 证照验证"

STATE_WORDS = {
    LicenceState.PENDING_SEAL: ("尚未签发完成", "not issued yet"),
    LicenceState.NOT_ACTIVE: ("尚未生效", "not in force yet"),
    LicenceState.VALID: ("有效", "valid"),
    LicenceState.SUSPENDED: ("已暂扣", "suspended"),
    LicenceState.SUPERSEDED: ("已换发", "superseded by another licence"),
    LicenceState.EXPIRED: ("已过期", "expired"),
    LicenceState.CANCELLED: ("已注销", "cancelled"),
    LicenceState.WITHDRAWN: ("已撤销", "withdrawn"),
    LicenceState.REVOKED: ("已吊销", "revoked"),
    LicenceState.VOID: ("已作废", "void"),
}
"""Each state in Chinese and English, to be put after “is”."""


def register_steps(builder: ReportBuilder, licence: Licence | None, state: LicenceState | None) -> None:
    """Append ``licence.register.known`` and ``licence.register.standing``.

    A file that is not ours is no fault: whether it is genuine is told by the steps before, but nobody here can tell
    whether its licence stands.
    """
    if licence is None or state is None:
        builder.add(
            Status.WARNING, "licence.register.known", clause=_CLAUSE_FILE,
            zh="本平台没有签发过这个文件，无法告知证照当前状态",
            en="This register did not issue this file, so it cannot tell whether the licence stands now",
        )  # fmt: skip
        builder.add(
            Status.SKIPPED, "licence.register.standing", clause=_CLAUSE_STATE,
            zh="证照当前状态未检查", en="The state of the licence was not checked",
        )  # fmt: skip
        return
    builder.add(
        Status.PASSED, "licence.register.known", clause=_CLAUSE_FILE, evidence={"identifier": licence.identifier},
        zh="这正是本平台签发的文件", en="This is the very file that was issued",
    )  # fmt: skip
    zh, en = STATE_WORDS[state]
    builder.check(
        stands(state), "licence.register.standing", clause=_CLAUSE_STATE, evidence={"state": str(state)},
        zh=f"该证照目前{zh}", en=f"The licence is {en} now",
    )  # fmt: skip
