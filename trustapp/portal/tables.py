"""Tables of the administration: what each lists, without HTTP."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from hsm.core.events import EventKind
from licence_service.core.register import STATE_WORDS
from licence_service.core.states import LicenceState, stands
from trustapp.portal.desk import Notice
from trustapp.wiring import Suite
from trustcore import audit
from trustcore.report import Report, Verdict

__all__ = ["Cell", "Table", "applications", "audit_trail", "certificates", "event_cell", "events", "licences", "seals"]

_PAGE = 50
_CHECK = "check"


@dataclass(frozen=True, slots=True, kw_only=True)
class Cell:
    """One field of a table."""

    text: str = ""
    en: str = ""
    """The text in English, where it is not the same in both languages."""
    href: str = ""
    look: str = ""
    """``valid``, ``invalid`` or ``unknown``: the cell is a badge."""
    moment: datetime | None = None
    code: bool = False


_EVENT_WORDS = {
    EventKind.DOWN: ("故障", "down"),
    EventKind.UP: ("恢复", "up again"),
    EventKind.REFUSED: ("拒用", "refused"),
    EventKind.HANGING: ("无响应", "not answering"),
    EventKind.DRAINED: ("停用维护", "taken out"),
    EventKind.RESUMED: ("交还使用", "given back"),
    EventKind.KEY_LIMIT_NEAR: ("密钥用量将尽", "key limit near"),
    EventKind.KEY_LIMIT_REACHED: ("密钥用量已尽", "key limit reached"),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Action:
    """What can be done on a page, by following a link."""

    href: str
    zh: str
    en: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Table:
    """What a page lists; headings are pairs of Chinese and English."""

    heading: tuple[str, str]
    columns: tuple[tuple[str, str], ...]
    rows: Sequence[tuple[Cell, ...]]
    next_page: str = ""
    notice: Notice | None = None
    action: Action | None = None


def _number(after: str | None) -> int | None:
    return int(after) if after and after.isdigit() else None


def events(suite: Suite, after: str | None) -> Table:
    """What happened to machines and keys, newest first."""
    page = suite.hsm.operations.events(before=_number(after), limit=_PAGE)
    return Table(
        heading=("加密机与密钥的事件", "Events of machines and keys"),
        columns=(("时间", "Time"), ("事件", "Event"), ("加密机", "Machine"), ("说明", "Remark")),
        rows=[
            (
                Cell(moment=event.at),
                event_cell(event.kind),
                Cell(text=event.machine, href=f"/admin/machines/{event.machine}") if event.machine else Cell(text="–"),
                Cell(text=event.detail),
            )
            for _, event in page
        ],
        next_page=f"?after={page[-1][0]}" if len(page) == _PAGE else "",
    )


def event_cell(kind: EventKind) -> Cell:
    """A badge for what happened."""
    zh, en = _EVENT_WORDS[kind]
    return Cell(text=zh, en=en, look="invalid" if kind.is_alarm else "valid")


def certificates(suite: Suite, after: str | None) -> Table:
    """Certificates, newest first."""
    page = suite.ca.certificates(before=_number(after), limit=_PAGE)
    looks = {"good": "valid", "revoked": "invalid"}
    return Table(
        heading=("证书", "Certificates"),
        columns=(("主体", "Subject"), ("签发者", "Authority"), ("用途", "Profile"), ("有效期至", "Not after"),
                 ("状态", "State"), ("序列号", "Serial number")),
        rows=[
            (
                Cell(text=row.subject),
                Cell(text=row.authority, code=True),
                Cell(text=row.profile),
                Cell(moment=row.not_after),
                Cell(text=row.state, look=looks.get(row.state, "unknown")),
                Cell(text=row.serial_number, code=True),
            )
            for row in page
        ],
        next_page=f"?after={page[-1].id}" if len(page) == _PAGE else "",
    )  # fmt: skip


def applications(suite: Suite, after: str | None) -> Table:
    """Registered applications."""
    page = suite.sso.applications.clients(after=after, limit=_PAGE)
    return Table(
        heading=("应用", "Applications"),
        columns=(("标识", "Client"), ("名称", "Name"), ("权限", "Scopes")),
        rows=[
            (Cell(text=row.client_id, code=True), Cell(text=row.name), Cell(text=" ".join(sorted(row.scopes))))
            for row in page
        ],
        next_page=f"?after={page[-1].client_id}" if len(page) == _PAGE else "",
    )


def seals(suite: Suite, after: str | None) -> Table:
    """Seals in the order of their identifiers."""
    page = suite.seals.seals(after=after, limit=_PAGE)
    return Table(
        heading=("电子印章", "E-seals"),
        columns=(
            ("印章", "Seal"),
            ("编码", "Code"),
            ("状态", "State"),
            ("有效期至", "Valid until"),
            ("图样", "Picture"),
        ),
        rows=[
            (
                Cell(text=seal.name),
                Cell(text=seal.id, code=True),
                Cell(text=str(seal.state), look="valid" if seal.state == "active" else "unknown"),
                Cell(moment=seal.valid_until),
                Cell(text="SVG", href=f"/seal/v1/seals/{seal.id}/picture.svg"),
            )
            for seal in page
        ],
        next_page=f"?after={page[-1].id}" if len(page) == _PAGE else "",
    )


def licences(suite: Suite, after: str | None) -> Table:
    """Licences, newest first."""
    page = suite.licences.recent(before=_number(after), limit=_PAGE)
    return Table(
        heading=("电子证照", "E-licences"),
        columns=(("持证主体", "Holder"), ("标识", "Identifier"), ("状态", "State"), ("签发时间", "Issued at")),
        rows=[
            (
                Cell(text=licence.record.name, href=f"/admin/licences/{licence.identifier}"),
                Cell(text=licence.identifier, code=True),
                _state(licence.shown_state(suite.clock())),
                Cell(moment=licence.issued_at) if licence.issued_at else Cell(text="–"),
            )
            for licence in page
        ],
        next_page=f"?after={page[-1].number}" if len(page) == _PAGE else "",
    )


def _state(state: LicenceState) -> Cell:
    zh, en = STATE_WORDS[state]
    return Cell(text=zh, en=en, look="valid" if stands(state) else "invalid")


def audit_trail(suite: Suite, after: str | None) -> Table:
    """The audit trail, newest first; with ``check`` for ``after``, whether its whole chain holds."""
    notice = None
    with suite.database.transaction() as session:
        if after == _CHECK:
            notice = _chain_notice(audit.verify_chain(session))
        page = audit.rows(session, before=_number(after), limit=_PAGE)
    return Table(
        heading=("审计", "Audit trail"),
        notice=notice,
        action=Action(href=f"?after={_CHECK}", zh="检查审计链", en="Check the chain"),
        columns=(("序号", "No."), ("时间", "Time"), ("操作者", "Actor"), ("行为", "Action"), ("对象", "Subject"),
                 ("事实", "Facts")),
        rows=[
            (
                Cell(text=str(row.number)),
                Cell(moment=row.at),
                Cell(text=row.actor),
                Cell(text=row.action, code=True),
                Cell(text=row.subject, code=True),
                Cell(text=", ".join(f"{name}={value}" for name, value in row.facts.items())),
            )
            for row in page
        ],
        next_page=f"?after={page[-1].number}" if len(page) == _PAGE else "",
    )  # fmt: skip


def _chain_notice(report: Report) -> Notice:
    step = report.steps[0]
    return Notice(kind="" if report.verdict is Verdict.VALID else "error", zh=step.zh, en=step.en)
