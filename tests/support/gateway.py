"""The gateway for tests: callers by name, and what they send."""

import base64
from collections.abc import Collection, Iterable
from dataclasses import dataclass, field

from fastapi.testclient import TestClient

from hsm.core.rights import Operation
from hsm.gateway.grants import NewGrant
from hsm.gateway.service import GatewayService
from trustcore.errors import UnauthenticatedError
from trustcore.web.auth import Principal

__all__ = ["ALL_SCOPES", "Names", "b64", "bearer", "grant", "unb64"]

ALL_SCOPES = frozenset({*(operation.scope for operation in Operation), "hsm:read", "hsm:manage"})


@dataclass(slots=True)
class Names:
    """An authenticator that knows applications by name: ``Bearer office`` is the application ``office``."""

    scopes: dict[str, frozenset[str]] = field(default_factory=dict)
    asked: int = 0

    def authenticate(self, authorization: str | None) -> Principal:
        self.asked += 1
        name = (authorization or "").removeprefix("Bearer ")
        if name not in self.scopes:
            raise UnauthenticatedError("Say who you are.", code="auth.token.missing")
        return Principal(subject=name, kind="application", scopes=self.scopes[name])


def bearer(name: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {name}"}


def b64(octets: bytes) -> str:
    return base64.b64encode(octets).decode()


def unb64(text: str) -> bytes:
    return base64.b64decode(text, validate=True)


def grant(
    gateway: GatewayService,
    application: str,
    keys: str,
    operations: Iterable[Operation] = tuple(Operation),
    *,
    per_second: int | None = None,
    per_day: int | None = None,
) -> int:
    new = NewGrant(
        application=application,
        keys=keys,
        operations=frozenset(operations),
        per_second=per_second,
        per_day=per_day,
    )
    return gateway.grants.grant(new, actor="test").grant.id


def codes(client: TestClient, path: str, bodies: Collection[dict[str, object]], name: str) -> list[tuple[int, str]]:
    """Status and code of the answers to some bodies."""
    answers = [client.post(path, json=body, headers=bearer(name)) for body in bodies]
    return [(answer.status_code, answer.json().get("code", "")) for answer in answers]
