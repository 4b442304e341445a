"""Administration of the gateway: grants and their use with the scope ``hsm:manage``, keys with ``hsm:generate``."""

from datetime import date
from typing import Annotated

from fastapi import APIRouter, Header, Path, Query, Request

from hsm.gateway.grants import NewGrant
from hsm.gateway.service import GatewayService
from hsm.store.gateway import StoredGrant
from hsm.web import gateway_bodies as bodies
from hsm.web.gateway_callers import Callers
from trustcore.errors import MalformedError

__all__ = ["build_admin_router"]

_SCOPE = "hsm:manage"
_MAKING_SCOPE = "hsm:generate"
_LAST_GRANT = 2_147_483_647

IdempotencyKey = Annotated[
    str | None,
    Header(alias="Idempotency-Key", min_length=1, max_length=150, description="The same key: the same grant."),
]


def build_admin_router(gateway: GatewayService, callers: Callers) -> APIRouter:
    """The routes of administration."""
    router = APIRouter(tags=["administration"])
    grants = gateway.grants

    @router.post("/v1/keys", status_code=201, summary="Make a key 生成密钥")
    def make_key(body: bodies.NewKeyRequest, request: Request) -> bodies.PublicKeyAnswer:
        """Make a key pair that never leaves the machines. Its label is taken then: asking twice is a conflict."""
        caller = callers.admit(request, _MAKING_SCOPE)
        made = gateway.make_key(body.label, body.algorithm, purpose=body.purpose, actor=f"client:{caller.subject}")
        return bodies.PublicKeyAnswer(
            label=made.label,
            uri=made.uri,
            algorithm=str(made.algorithm),
            purpose=made.purpose,
            public_key_base64=bodies.encode(made.public_key_der),
        )

    @router.post("/v1/grants", status_code=201, summary="Grant rights 授权")
    def grant(
        body: bodies.GrantRequest, request: Request, idempotency_key: IdempotencyKey = None
    ) -> bodies.GrantAnswer:
        """Let an application use keys."""
        caller = callers.admit(request, _SCOPE)
        for moment in (body.not_before, body.not_after):
            if moment is not None and moment.tzinfo is None:
                raise MalformedError("A time needs its zone (RFC 3339).", code="hsm.grant.period")
        new = NewGrant(
            application=body.application,
            keys=body.keys,
            operations=frozenset(body.operations),
            per_second=body.per_second,
            per_day=body.per_day,
            not_before=body.not_before,
            not_after=body.not_after,
        )
        request_id = None if idempotency_key is None else f"{caller.subject}:{idempotency_key}"
        return _answer(grants.grant(new, actor=f"client:{caller.subject}", request_id=request_id))

    @router.get("/v1/grants", summary="Grants 授权列表")
    def list_grants(
        request: Request,
        application: Annotated[str | None, Query(max_length=64)] = None,
        cursor: Annotated[int, Query(ge=0, le=_LAST_GRANT)] = 0,
        limit: Annotated[int, Query(ge=1, le=200)] = 50,
    ) -> bodies.GrantsAnswer:
        """Grants by number, revoked ones too."""
        callers.admit(request, _SCOPE)
        found = grants.grants(application=application, after=cursor, limit=limit + 1)
        shown = found[:limit]
        return bodies.GrantsAnswer(
            grants=[_answer(item) for item in shown],
            next_cursor=shown[-1].grant.id if len(found) > limit else None,
        )

    @router.delete("/v1/grants/{grant_id}", summary="Revoke a grant 撤销授权")
    def revoke(grant_id: Annotated[int, Path(ge=0, le=_LAST_GRANT)], request: Request) -> bodies.GrantAnswer:
        """Take a grant back, at once. Twice changes nothing."""
        caller = callers.admit(request, _SCOPE)
        return _answer(grants.revoke(grant_id, actor=f"client:{caller.subject}"))

    @router.get("/v1/usage", summary="Use of grants 用量")
    def usage(
        request: Request,
        application: Annotated[str | None, Query(max_length=64)] = None,
        first: Annotated[date | None, Query(description="First day, UTC; 31 days back by default.")] = None,
        last: Annotated[date | None, Query(description="Last day, UTC; today by default.")] = None,
    ) -> bodies.UsageAnswer:
        """Use of grants by day, newest first."""
        callers.admit(request, _SCOPE)
        return bodies.UsageAnswer(
            usage=[
                bodies.UsageBody(
                    grant=day.grant_id,
                    application=day.application,
                    keys=day.keys,
                    day=day.day,
                    requests=day.acts,
                    items=day.items,
                    refused=day.refused,
                )
                for day in grants.usage(application=application, first=first, last=last)
            ]
        )

    return router


def _answer(stored: StoredGrant) -> bodies.GrantAnswer:
    grant = stored.grant
    return bodies.GrantAnswer(
        id=grant.id,
        application=grant.application,
        keys=grant.keys,
        operations=sorted(grant.operations),
        per_second=grant.per_second,
        per_day=grant.per_day,
        not_before=grant.not_before,
        not_after=grant.not_after,
        created_at=stored.created_at,
        created_by=stored.created_by,
        revoked_at=stored.revoked_at,
        revoked_by=stored.revoked_by,
    )
