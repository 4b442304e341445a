"""Pages of the keys in the machines: the inventory, one key and its life, and what two persons have to agree to."""

from collections.abc import Mapping
from enum import StrEnum
from typing import Annotated
from urllib.parse import quote, urlencode

from fastapi import APIRouter, Form, Query, Request
from pydantic import BaseModel, Field
from starlette.responses import Response

from hsm.core.approvals import PERSONS_NEEDED, Approval, ApprovalAct, ApprovalState
from hsm.core.lifecycle import TRANSITIONS, Act, KeyState
from hsm.store.keys import KeyFilter
from sso.portal import PortalUser
from trustapp.portal.desk import Desk, FormToken, Notice, see
from trustapp.wiring import Suite
from trustcore.errors import NotFoundError, TrustError
from trustcore.signing import KeyPurpose
from trustcore.x509.certificate import Certificate

__all__ = ["build_approval_router", "build_key_router"]

_PAGE = 50
_STATE_WORDS = {
    KeyState.GENERATED: ("未启用", "generated", "unknown"),
    KeyState.ACTIVE: ("启用", "active", "valid"),
    KeyState.SUSPENDED: ("停用", "suspended", "invalid"),
    KeyState.RETIRED: ("退役", "retired", "unknown"),
    KeyState.DESTROYED: ("已销毁", "destroyed", "invalid"),
}
_PURPOSE_WORDS = {
    KeyPurpose.SIGNING: ("通用", "general"),
    KeyPurpose.CA: ("证书认证", "CA"),
    KeyPurpose.SEAL: ("印章", "seal"),
    KeyPurpose.AUDIT: ("审计", "audit"),
    KeyPurpose.ENCRYPTION: ("加密", "encryption"),
}
_ACT_WORDS = {
    Act.ACTIVATE: ("启用", "Activate"),
    Act.SUSPEND: ("停用", "Suspend"),
    Act.RETIRE: ("退役（不再签名）", "Retire (signs no more)"),
    Act.DESTROY: ("销毁（不可恢复）", "Destroy (cannot be undone)"),
}
_APPROVAL_ACTS = {
    ApprovalAct.GENERATE: ("生成密钥", "Generate a key"),
    ApprovalAct.IMPORT: ("导入密钥", "Import a key"),
    ApprovalAct.EXPORT: ("导出密钥", "Export a key"),
    ApprovalAct.DESTROY: ("销毁密钥", "Destroy a key"),
    ApprovalAct.ASSIGN: ("定为 CA 密钥", "Make it a CA's key"),
}
_APPROVAL_WORDS = {
    ApprovalState.PENDING: ("待批准", "pending", "unknown"),
    ApprovalState.APPROVED: ("已批准，待执行", "approved, not done yet", "valid"),
    ApprovalState.BEGUN: ("执行中", "begun", "unknown"),
    ApprovalState.EXECUTED: ("已执行", "done", "valid"),
    ApprovalState.REFUSED: ("已拒绝", "refused", "invalid"),
    ApprovalState.EXPIRED: ("已过期", "expired", "invalid"),
}


class _ActForm(BaseModel):
    act: Act
    sure: str = Field(default="", max_length=64)
    """The key's label, typed by whoever wants to destroy it."""
    form_token: FormToken


class _Vote(StrEnum):
    APPROVE = "approve"
    REFUSE = "refuse"


class _VoteForm(BaseModel):
    vote: _Vote
    form_token: FormToken


class _Wanted(BaseModel):
    """What the inventory is filtered by; what is empty or unknown stands for all."""

    state: str = Field(default="", max_length=20)
    purpose: str = Field(default="", max_length=20)
    machine: str = Field(default="", max_length=32)
    after: str = Field(default="", max_length=64)

    def filter(self) -> KeyFilter:
        return KeyFilter(
            state=KeyState(self.state) if self.state in set(KeyState) else None,
            purpose=KeyPurpose(self.purpose) if self.purpose in set(KeyPurpose) else None,
            machine=self.machine or None,
        )

    def query(self, after: str) -> str:
        chosen = {"state": self.state, "purpose": self.purpose, "machine": self.machine, "after": after}
        return "?" + urlencode({name: value for name, value in chosen.items() if value})


def build_key_router(suite: Suite, desk: Desk) -> APIRouter:
    """Routes below ``/keys``."""
    router = APIRouter(prefix="/keys", include_in_schema=False)

    def detail(request: Request, user: PortalUser, label: str, notice: Notice | None = None) -> Response:
        key = suite.hsm.key(label)
        context = {
            "key": key,
            "state": _STATE_WORDS[key.state],
            "purpose": _PURPOSE_WORDS[key.purpose],
            "certificates": [Certificate.from_der(der) for der in suite.hsm.certificates(label)],
            "acts": [(act, *_ACT_WORDS[act]) for act in Act if key.state in TRANSITIONS[act]],
            "notice": notice,
        }
        return desk.page(request, user, "admin_key.html", context)

    @router.get("", response_model=None)
    def keys(request: Request, wanted: Annotated[_Wanted, Query()], user: PortalUser = desk.visitor) -> Response:
        page = suite.hsm.keys(after=wanted.after, limit=_PAGE + 1, wanted=wanted.filter())
        context = {
            "keys": [(key, _STATE_WORDS[key.state], _PURPOSE_WORDS[key.purpose]) for key in page[:_PAGE]],
            "wanted": wanted,
            "states": _STATE_WORDS,
            "purposes": _PURPOSE_WORDS,
            "machines": [machine.name for machine in suite.hsm.machines()],
            "open_requests": len(suite.hsm.pending()),
            "next_page": wanted.query(page[_PAGE - 1].label) if len(page) > _PAGE else "",
        }
        return desk.page(request, user, "admin_keys.html", context)

    @router.get("/{label}", response_model=None)
    def key(request: Request, label: str, user: PortalUser = desk.visitor) -> Response:
        return detail(request, user, label)

    @router.post("/{label}", response_model=None)
    def act(
        request: Request, label: str, form: Annotated[_ActForm, Form()], user: PortalUser = desk.visitor
    ) -> Response:
        desk.check_form(user, form.form_token)
        if form.act is Act.DESTROY and form.sure != label:
            notice = Notice(
                kind="error",
                zh="未销毁：请输入该密钥的标签以确认",
                en="Not destroyed: type the key's label to be sure.",
            )
            return detail(request, user, label, notice)
        acts = {
            Act.ACTIVATE: suite.hsm.activate,
            Act.SUSPEND: suite.hsm.suspend,
            Act.RETIRE: suite.hsm.retire,
            Act.DESTROY: suite.hsm.destroy,
        }
        try:
            acts[form.act](label, actor=f"user:{user.subject}")
        except NotFoundError:
            raise
        except TrustError as error:
            return detail(request, user, label, _refusal(error))
        return see(f"/admin/keys/{quote(label, safe='')}")

    return router


def _refusal(error: TrustError) -> Notice:
    if error.code == "hsm.approval.needed":
        zh = "此操作须经两人批准：申请已登记，请到“双人审批”页批准后重试。"
        return Notice(kind="warning", zh=zh, en=f"{error.detail} The page Approvals lists the request.")
    return Notice(kind="error", zh=f"未能完成：{error.detail}", en=error.detail)


def build_approval_router(suite: Suite, desk: Desk) -> APIRouter:
    """Routes below ``/approvals``."""
    router = APIRouter(prefix="/approvals", include_in_schema=False)

    def shown(request: Request, user: PortalUser, notice: Notice | None = None) -> Response:
        now, own = suite.clock(), f"user:{user.subject}"
        requests = [_request(approval, own, approval.state(now)) for approval in suite.hsm.pending(only_open=False)]
        context = {"requests": requests, "needed": PERSONS_NEEDED, "notice": notice}
        return desk.page(request, user, "admin_approvals.html", context)

    @router.get("", response_model=None)
    def approvals(request: Request, user: PortalUser = desk.visitor) -> Response:
        return shown(request, user)

    @router.post("/{identifier}", response_model=None)
    def vote(
        request: Request, identifier: str, form: Annotated[_VoteForm, Form()], user: PortalUser = desk.visitor
    ) -> Response:
        desk.check_form(user, form.form_token)
        decide = suite.hsm.approve if form.vote is _Vote.APPROVE else suite.hsm.refuse
        try:
            decide(identifier, f"user:{user.subject}")
        except NotFoundError:
            raise
        except TrustError as error:
            return shown(request, user, _refusal(error))
        return see("/admin/approvals")

    return router


def _request(approval: Approval, own: str, state: ApprovalState) -> Mapping[str, object]:
    voted = any(consent.person == own for consent in approval.consents)
    return {
        "approval": approval,
        "act": _APPROVAL_ACTS[approval.act],
        "words": _APPROVAL_WORDS[state],
        "may_approve": state is ApprovalState.PENDING and not voted,
        "may_refuse": state in {ApprovalState.PENDING, ApprovalState.APPROVED},
        "voted": voted,
    }
