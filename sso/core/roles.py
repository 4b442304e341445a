"""Roles of people, and which of them exclude each other."""

from collections.abc import Iterable
from enum import StrEnum

from trustcore.errors import RejectedError

__all__ = ["Role", "check_separation"]


class Role(StrEnum):
    """What a person may see and do in the administration."""

    SYSTEM_ADMINISTRATOR = "system-administrator"
    """系统管理员: installation, machines, applications."""
    SECURITY_ADMINISTRATOR = "security-administrator"
    """安全管理员: people, rights, policies."""
    AUDIT_ADMINISTRATOR = "audit-administrator"
    """审计管理员: reads the audit trail, changes nothing."""
    OPERATOR = "operator"
    """业务操作员: seals and licences."""


_SEPARATE = frozenset({Role.SYSTEM_ADMINISTRATOR, Role.SECURITY_ADMINISTRATOR, Role.AUDIT_ADMINISTRATOR})


def check_separation(roles: Iterable[Role]) -> None:
    """Refuse a person who would hold two of the three administrators' roles (GB/T 22239-2019 §8.1.5).

    Raises:
        RejectedError: ``sso.user.roles-not-separate``.
    """
    if len(_SEPARATE.intersection(roles)) > 1:
        raise RejectedError(
            "System, security and audit administration belong to different people.",
            code="sso.user.roles-not-separate",
        )
