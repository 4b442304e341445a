"""Which pages of the administration a role opens: three administrators who see different things, and the operator."""

from collections.abc import Collection
from dataclasses import dataclass

from sso.core.roles import Role

__all__ = ["MENU", "ROLE_NAMES", "MenuItem", "menu_for"]

ROLE_NAMES = {
    Role.SYSTEM_ADMINISTRATOR: ("系统管理员", "System administrator"),
    Role.SECURITY_ADMINISTRATOR: ("安全管理员", "Security administrator"),
    Role.AUDIT_ADMINISTRATOR: ("审计管理员", "Audit administrator"),
    Role.OPERATOR: ("业务操作员", "Operator"),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class MenuItem:
    """A page and who may open it."""

    path: str
    zh: str
    en: str
    about_zh: str
    about_en: str
    roles: frozenset[Role]


MENU = (
    MenuItem(
        path="/admin/", zh="管理", en="Administration", about_zh="", about_en="", roles=frozenset(Role),
    ),
    MenuItem(
        path="/admin/machines", zh="加密机", en="Machines", roles=frozenset({Role.SYSTEM_ADMINISTRATOR}),
        about_zh="每台加密机的状态、会话、队列、耗时与自检；停用维护与恢复",
        about_en="State, sessions, queue, latency and self-test of every machine; maintenance",
    ),
    MenuItem(
        path="/admin/keys", zh="密钥", en="Keys",
        roles=frozenset({Role.SYSTEM_ADMINISTRATOR, Role.SECURITY_ADMINISTRATOR}),
        about_zh="加密机中的密钥：启用、停用、退役、销毁", about_en="Keys in the machines and their life",
    ),
    MenuItem(
        path="/admin/approvals", zh="双人审批", en="Approvals",
        roles=frozenset({Role.SYSTEM_ADMINISTRATOR, Role.SECURITY_ADMINISTRATOR}),
        about_zh="CA 密钥须两人批准的操作", about_en="What two persons have to agree to",
    ),
    MenuItem(
        path="/admin/events", zh="事件", en="Events",
        roles=frozenset({Role.SYSTEM_ADMINISTRATOR, Role.SECURITY_ADMINISTRATOR, Role.AUDIT_ADMINISTRATOR}),
        about_zh="加密机与密钥的告警和事件", about_en="Alarms and events of machines and keys",
    ),
    MenuItem(
        path="/admin/certificates", zh="证书", en="Certificates",
        roles=frozenset({Role.SYSTEM_ADMINISTRATOR, Role.SECURITY_ADMINISTRATOR}),
        about_zh="签发过的证书及其状态", about_en="Certificates issued and their state",
    ),
    MenuItem(
        path="/admin/applications", zh="应用", en="Applications", roles=frozenset({Role.SECURITY_ADMINISTRATOR}),
        about_zh="接入的应用及其权限", about_en="Applications and their rights",
    ),
    MenuItem(
        path="/admin/seals", zh="印章", en="Seals",
        roles=frozenset({Role.SECURITY_ADMINISTRATOR, Role.OPERATOR}),
        about_zh="电子印章及其状态", about_en="E-seals and their state",
    ),
    MenuItem(
        path="/admin/licences", zh="证照", en="Licences", roles=frozenset({Role.OPERATOR}),
        about_zh="签发的证照；暂扣、发还、注销", about_en="Licences issued; suspend, reinstate, cancel",
    ),
    MenuItem(
        path="/admin/audit", zh="审计", en="Audit", roles=frozenset({Role.AUDIT_ADMINISTRATOR}),
        about_zh="审计记录与哈希链检查", about_en="The audit trail and the check of its chain",
    ),
)  # fmt: skip
"""Every page of the administration."""


def menu_for(roles: Collection[Role]) -> tuple[MenuItem, ...]:
    """The pages that a person with these roles may open."""
    return tuple(item for item in MENU if item.roles.intersection(roles))
