"""Names as a stranger with a QR code may see them.

Practice of deployed verification pages: a natural person keeps the surname, a name of three or more characters also
its last one; a company keeps enough to be compared with the paper in hand, but not enough to be harvested: the first
four and the last four characters, of a short name the first two and the last two. Latin names keep each word's initial.
"""

import re

__all__ = ["mask_company", "mask_holder", "mask_person"]

_LATIN = re.compile(r"[A-Za-z][A-Za-z .'’-]*")
_DELEGATE = re.compile(r"([^（(]+)[（(](委派代表[：:]?)([^（()）]+)[）)]")
_STAR = "*"
_LONGEST_PERSON = 6
_COMPANY_WORDS = (
    "公司",
    "企业",
    "合作社",
    "事务所",
    "中心",
    "合伙",
    "集团",
    "厂",
    "店",
    "商行",
    "部",
    "社",
    "馆",
    "坊",
)


def mask_person(name: str) -> str:
    """A natural person's name: 张伟 → 张*, 王小明 → 王*明, 欧阳小明 → 欧**明, ``Anna Muster`` → ``A*** M*****``."""
    name = name.strip()
    if _LATIN.fullmatch(name):
        return " ".join(word[:1] + _STAR * max(1, len(word) - 1) for word in name.split())
    if len(name) <= 1:
        return _STAR * len(name)
    if len(name) == 2:
        return name[0] + _STAR
    return name[0] + _STAR * (len(name) - 2) + name[-1]


def mask_company(name: str) -> str:
    """An organisation's name: the first and last four characters stay, of up to ten characters two and two."""
    name = name.strip()
    kept = 4 if len(name) > 10 else 2
    if len(name) <= 2 * kept:
        return mask_person(name)
    return name[:kept] + _STAR * (len(name) - 2 * kept) + name[-kept:]


def mask_holder(name: str) -> str:
    """Any name: as an organisation's where it says so (公司, 店 …) or is longer than a person's, else a person's.

    A partner that is a company with a delegate, ``某某有限公司（委派代表：王小明）``, has both names masked.
    """
    if match := _DELEGATE.fullmatch(name):
        return f"{mask_holder(match[1])}（{match[2]}{mask_person(match[3])}）"
    if _LATIN.fullmatch(name):
        return mask_person(name)
    organisation = len(name) > _LONGEST_PERSON or name.endswith(_COMPANY_WORDS)
    return mask_company(name) if organisation else mask_person(name)
