"""``/hsm/v1/keys`` and ``/hsm/v1/approvals``: the inventory, and the life of each key.

Making a key is one of the gateway's calls. What is here may be sent again without an ``Idempotency-Key``: an act that
was done answers as before, and a second export is another copy for the same recipient.
"""

from datetime import datetime
from typing import Annotated

from fastapi import APIRouter, Depends, Query

from hsm.core.approvals import Approval
from hsm.core.lifecycle import KeyState
from hsm.service import HsmService, KeyStatus
from hsm.store.key_imports import ImportForm
from hsm.store.keys import KeyFilter, NewKey
from hsm.web import key_bodies as bodies
from hsm.web.gateway_bodies import decode, encode
from trustcore.signing import KeyPurpose
from trustcore.web.auth import Authenticator, Principal, requires

__all__ = ["build_keys_router"]

_LIMIT_BYTES = 12_000
_READ, _MANAGE = "hsm:read", "hsm:manage"


def build_keys_router(service: HsmService, authenticator: Authenticator) -> APIRouter:
    """The routes over an open service."""
    router = APIRouter()
    _add_inventory(router, service, authenticator)
    _add_life(router, service, authenticator)
    _add_moves(router, service, authenticator)
    _add_approvals(router, service, authenticator)
    return router


def _add_inventory(router: APIRouter, service: HsmService, authenticator: Authenticator) -> None:
    rights = [Depends(requires(authenticator, _READ))]

    @router.get("/v1/keys", dependencies=rights, summary="Keys 密钥")
    def keys(  # noqa: PLR0917 - one parameter for each of the query
        cursor: Annotated[str, Query(max_length=64)] = "",
        limit: Annotated[int, Query(ge=1, le=200)] = 50,
        state: KeyState | None = None,
        purpose: KeyPurpose | None = None,
        algorithm: Annotated[str | None, Query(max_length=20)] = None,
        machine: Annotated[str | None, Query(max_length=32)] = None,
    ) -> bodies.KeysBody:
        """Keys by label, one page; destroyed ones too."""
        wanted = KeyFilter(state=state, purpose=purpose, algorithm=algorithm, machine=machine)
        page = service.keys(after=cursor, limit=limit + 1, wanted=wanted)
        shown = [_key(key) for key in page[:limit]]
        return bodies.KeysBody(keys=shown, next_cursor=shown[-1].label if len(page) > limit else None)

    @router.get("/v1/keys/{label}", dependencies=rights, summary="One key 单个密钥")
    def key(label: str) -> bodies.KeyBody:
        """One key, a destroyed one too."""
        return _key(service.key(label))

    @router.get("/v1/keys/{label}/certificates", dependencies=rights, summary="Its certificates 密钥证书")
    def certificates(label: str) -> bodies.CertificatesBody:
        """The certificates over a key."""
        service.key(label)
        return bodies.CertificatesBody(certificates_base64=[encode(der) for der in service.certificates(label)])


def _add_life(router: APIRouter, service: HsmService, authenticator: Authenticator) -> None:
    manager = Depends(requires(authenticator, _MANAGE))

    @router.post("/v1/keys/{label}/activate", summary="Take into use 启用")
    def activate(label: str, caller: Annotated[Principal, manager]) -> bodies.KeyBody:
        """Take a key into use, or into use again."""
        return _key(service.activate(label, actor=_actor(caller)))

    @router.post("/v1/keys/{label}/suspend", summary="Stop for a while 停用")
    def suspend(label: str, caller: Annotated[Principal, manager]) -> bodies.KeyBody:
        """Stop a key for a while; all server processes stop within two seconds."""
        return _key(service.suspend(label, actor=_actor(caller)))

    @router.post("/v1/keys/{label}/retire", summary="End its signing 退役")
    def retire(label: str, caller: Annotated[Principal, manager]) -> bodies.KeyBody:
        """End a key's signing for good; it still decrypts."""
        return _key(service.retire(label, actor=_actor(caller)))

    @router.delete("/v1/keys/{label}", summary="Destroy 销毁")
    def destroy(label: str, caller: Annotated[Principal, manager]) -> bodies.KeyBody:
        """Destroy a key in every machine, for good; a CA key once two persons have agreed."""
        return _key(service.destroy(label, actor=_actor(caller)))

    @router.put("/v1/keys/{label}/limit", summary="Limit its uses 使用次数上限")
    def limit(label: str, body: bodies.LimitBody, caller: Annotated[Principal, manager]) -> bodies.KeyBody:
        """Say how often a key may be used in its life."""
        return _key(service.set_limit(label, body.usage_limit, actor=_actor(caller)))

    @router.put("/v1/keys/{label}/title", summary="Its title 名称")
    def title(label: str, body: bodies.TitleBody, caller: Annotated[Principal, manager]) -> bodies.KeyBody:
        """Say what people call a key; its label and URI stay."""
        return _key(service.rename(label, body.title, actor=_actor(caller)))

    @router.post("/v1/keys/{label}/certificates", summary="Link a certificate 关联证书")
    def link(
        label: str, body: bodies.CertificateBody, caller: Annotated[Principal, manager]
    ) -> bodies.CertificatesBody:
        """Record a certificate over a key; linking it twice is no error."""
        service.link_certificate(label, decode(body.certificate_base64, limit=_LIMIT_BYTES), actor=_actor(caller))
        return bodies.CertificatesBody(certificates_base64=[encode(der) for der in service.certificates(label)])


def _add_moves(router: APIRouter, service: HsmService, authenticator: Authenticator) -> None:
    manager = Depends(requires(authenticator, _MANAGE))

    @router.post("/v1/keys/{label}/import", summary="Begin an import 开始导入")
    def begin_import(
        label: str, caller: Annotated[Principal, manager], form: ImportForm = ImportForm.RSA_AES
    ) -> bodies.OfferBody:
        """A transport key for a key from elsewhere; the same one until a day has passed."""
        offer = service.begin_import(label, form=form, actor=_actor(caller))
        assert offer.transport_key_der is not None
        return bodies.OfferBody(
            label=label, transport_key_base64=encode(offer.transport_key_der), expires_at=offer.expires_at
        )

    @router.put("/v1/keys/{label}/import", status_code=201, summary="Finish an import 完成导入")
    def finish_import(label: str, body: bodies.ImportBody, caller: Annotated[Principal, manager]) -> bodies.KeyBody:
        """Take a wrapped key pair in, prove it, and give it to all machines."""
        new = NewKey(
            label=label,
            algorithm=body.algorithm,
            purpose=body.purpose,
            exportable=body.exportable,
            usage_limit=body.usage_limit,
        )
        public_key_der = decode(body.public_key_base64, limit=_LIMIT_BYTES)
        wrapped = decode(body.wrapped_base64, limit=_LIMIT_BYTES)
        return _key(service.finish_import(new, public_key_der, wrapped, actor=_actor(caller)))

    @router.post("/v1/keys/{label}/export", summary="Export, wrapped 封装导出")
    def export(label: str, body: bodies.RecipientBody, caller: Annotated[Principal, manager]) -> bodies.ExportBody:
        """Wrap an exportable key for a recipient; a CA key once two persons have agreed."""
        recipient = decode(body.recipient_key_base64, limit=_LIMIT_BYTES)
        gone = service.export(label, recipient, actor=_actor(caller))
        return bodies.ExportBody(
            algorithm=gone.algorithm.value,
            public_key_base64=encode(gone.public_key_der),
            wrapped_base64=encode(gone.wrapped),
        )


def _add_approvals(router: APIRouter, service: HsmService, authenticator: Authenticator) -> None:
    rights = [Depends(requires(authenticator, _READ))]
    manager = Depends(requires(authenticator, _MANAGE))

    @router.get("/v1/approvals", dependencies=rights, summary="Approvals 审批")
    def approvals(every: bool = False) -> bodies.ApprovalsBody:
        """Requests that wait for persons or for the act; with ``every`` those that are over, too."""
        now = service.now()
        return bodies.ApprovalsBody(approvals=[_approval(item, now) for item in service.pending(only_open=not every)])

    @router.post("/v1/approvals/{request}/approve", summary="Agree 批准")
    def approve(request: str, caller: Annotated[Principal, manager]) -> bodies.ApprovalBody:
        """One person agrees; an application cannot."""
        return _approval(service.approve(request, _actor(caller)), service.now())

    @router.post("/v1/approvals/{request}/refuse", summary="Refuse 拒绝")
    def refuse(request: str, caller: Annotated[Principal, manager]) -> bodies.ApprovalBody:
        """One person refuses, which closes the request."""
        return _approval(service.refuse(request, _actor(caller)), service.now())


def _actor(caller: Principal) -> str:
    return f"user:{caller.subject}" if caller.kind == "person" else f"client:{caller.subject}"


def _key(key: KeyStatus) -> bodies.KeyBody:
    return bodies.KeyBody(
        label=key.label,
        title=key.title,
        uri=key.uri,
        algorithm=key.algorithm.value,
        purpose=key.purpose,
        state=key.state,
        public_key_der=key.public_key_der.hex(),
        machines=list(key.machines),
        missing=list(key.missing),
        sealed=key.sealed,
        exportable=key.exportable,
        used=key.used,
        usage_limit=key.usage_limit,
        created_at=key.created_at,
        activated_at=key.activated_at,
        retired_at=key.retired_at,
        destroyed_at=key.destroyed_at,
        not_before=key.not_before,
        not_after=key.not_after,
    )


def _approval(approval: Approval, now: datetime) -> bodies.ApprovalBody:
    return bodies.ApprovalBody(
        id=approval.id,
        act=approval.act.value,
        label=approval.subject,
        parameters=dict(approval.parameters),
        state=approval.state(now),
        requested_by=approval.requested_by,
        requested_at=approval.requested_at,
        expires_at=approval.expires_at,
        approved_by=[bodies.ConsentBody(person=item.person, at=item.at) for item in approval.consents],
        refused_by=approval.refused_by,
        executed_at=approval.executed_at,
    )
