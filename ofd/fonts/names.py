"""What the font names of documents mean: styles written into them, and the installed families that stand in for others.

Documents name 宋体, SimSun or ``ABCDEF+TimesNewRomanPS-BoldMT`` and seldom embed them. Each name is brought into one
form, belongs to a kind of type, and each kind knows which families come near it.
"""

import re
from enum import StrEnum
from typing import NamedTuple

__all__ = ["PlainName", "TypeKind", "kind_of", "plain_name", "substitutes"]


class TypeKind(StrEnum):
    """Kinds of type that documents ask for."""

    SONG = "song"
    HEI = "hei"
    KAI = "kai"
    FANGSONG = "fangsong"
    SERIF = "serif"
    SANS = "sans"
    MONO = "mono"
    SYMBOL = "symbol"


class PlainName(NamedTuple):
    """A font's name without what is no name."""

    key: str
    """Lower case, no blanks, hyphens or underscores, no subset tag, no style."""
    bold: bool
    italic: bool


_SUBSET_TAG = re.compile(r"^[A-Z]{6}\+")
_STYLE = re.compile(r"(bold|heavy|black|粗体|italic|oblique|斜体|regular|normal|roman|常规|mt|ps)$")
_IS_BOLD = frozenset({"bold", "heavy", "black", "粗体"})
_IS_ITALIC = frozenset({"italic", "oblique", "斜体"})

_KINDS: tuple[tuple[TypeKind, str], ...] = (
    (TypeKind.SYMBOL, "symbol wingdings webdings zapfdingbats"),
    (TypeKind.FANGSONG, "仿宋 fangsong fsgb fzfs stfangsong"),
    (TypeKind.KAI, "楷 kaiti stkaiti fzkt fzkai simkai ukai wenkai 隶 行楷 lisu"),
    (TypeKind.HEI, "黑 simhei heiti yahei 雅黑 dengxian 等线 幼圆 youyuan 圆 pingfang 苹方 sanscjk sourcehansans"),
    (TypeKind.HEI, "fzht fzhei microhei zenhei gothic msjh stxihei arialunicode"),
    (TypeKind.SONG, "宋 simsun nsimsun songti stsong mingliu 明 ming fzss fzxbs fzsong bsong serifcjk"),
    (TypeKind.SONG, "sourcehanserif mincho stzhongsong batang uming"),
    (TypeKind.MONO, "courier consolas mono menlo monaco lucidaconsole terminal typewriter"),
    (
        TypeKind.SANS,
        "arial helvetica verdana tahoma calibri segoe sans trebuchet franklin futura microsoft roboto gill univers",
    ),
    (TypeKind.SERIF, "times georgia cambria garamond palatino bookman century serif roman minion"),
)
"""Parts of plain names, the first kind with a hit wins."""

_SERIF_LATIN = ("timesnewroman", "liberationserif", "tinos", "nimbusroman", "freeserif")
_SANS_LATIN = ("arial", "liberationsans", "arimo", "helvetica", "nimbussans", "freesans")
_SONG = ("simsun", "宋体", "nsimsun", "notoserifcjksc", "sourcehanserifsc", "sourcehanserifcn", "songtisc", "stsong")
_SONG_POOR = ("fandolsong", "arplumingcn", "arplsungtilgb")
_HEI = ("simhei", "黑体", "microsoftyahei", "notosanscjksc", "sourcehansanssc", "sourcehansanscn", "pingfangsc")
_HEI_POOR = ("wenquanyimicrohei", "wenquanyizenhei", "droidsansfallback", "fandolhei")
_KAI = ("kaiti", "simkai", "楷体", "kaitigb2312", "stkaiti", "kaitisc")
_KAI_FREE = ("lxgwwenkai", "arplukaicn", "fandolkai")
_FANGSONG = ("fangsong", "仿宋", "simfang", "fangsonggb2312", "stfangsong", "fandolfang", "lxgwzhisong")
_ANY_CHINESE = ("lxgwwenkai", "hanamina", "花園明朝a")

_SUBSTITUTES = {
    TypeKind.SONG: (*_SONG, *_SONG_POOR, *_FANGSONG, *_ANY_CHINESE),
    TypeKind.FANGSONG: (*_FANGSONG, *_SONG, *_SONG_POOR, *_KAI, *_ANY_CHINESE),
    TypeKind.KAI: (*_KAI, *_KAI_FREE, *_FANGSONG, *_SONG, *_ANY_CHINESE),
    TypeKind.HEI: (*_HEI, *_HEI_POOR, *_SONG, *_ANY_CHINESE),
    TypeKind.SERIF: (*_SERIF_LATIN, "dejavuserifcondensed", "dejavuserif", *_SONG, *_ANY_CHINESE),
    TypeKind.SANS: (*_SANS_LATIN, "dejavusanscondensed", "dejavusans", *_HEI, *_ANY_CHINESE),
    TypeKind.MONO: ("couriernew", "liberationmono", "cousine", "nimbusmonops", "dejavusansmono", *_ANY_CHINESE),
    TypeKind.SYMBOL: ("symbol", "standardsymbolsps", "dejavusans", *_ANY_CHINESE),
}


def plain_name(name: str) -> PlainName:
    """A font's name in the one form in which names are compared."""
    key = _SUBSET_TAG.sub("", name.strip().lstrip("@")).casefold()
    key = re.sub(r"[\s,_\-./()（）]+", "", key)
    bold = italic = False
    while (style := _STYLE.search(key)) and style.start() > 0:
        bold = bold or style[0] in _IS_BOLD
        italic = italic or style[0] in _IS_ITALIC
        key = key[: style.start()]
    return PlainName(key, bold, italic)


def kind_of(key: str, *, serif: bool | None = None, fixed_width: bool = False) -> TypeKind:
    """The kind of type that a plain name means; the document's hints decide when the name says nothing."""
    for kind, parts in _KINDS:
        if any(part in key for part in parts.split()):
            return kind
    if fixed_width:
        return TypeKind.MONO
    if key.isascii():
        return TypeKind.SERIF if serif else TypeKind.SANS
    return TypeKind.HEI if serif is False else TypeKind.SONG


def substitutes(kind: TypeKind) -> tuple[str, ...]:
    """Plain names of families that come near a kind, nearest first."""
    return _SUBSTITUTES[kind]
