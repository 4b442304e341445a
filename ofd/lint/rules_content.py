"""Rules on what pages show: text, fonts, paths, pictures; and on signatures."""

from ofd.lint.finding import Rule, Severity

__all__: list[str] = []

_ERROR, _WARNING, _NOTE = Severity.ERROR, Severity.WARNING, Severity.NOTE

OBJECT_DEPTH = Rule(
    code="ofd.lint.object.depth",
    severity=_ERROR,
    zh="页面块嵌套超过 {limit} 层",
    en="Page blocks are nested more than {limit} deep",
    clause="GB/T 33190-2016 §7.7",
)
OBJECT_FLAT = Rule(
    code="ofd.lint.object.flat",
    severity=_WARNING,
    zh="变换矩阵“{matrix}”把对象压成一条线,不会显示",
    en="The matrix “{matrix}” flattens the object, which does not show",
    clause="GB/T 33190-2016 §8.4",
)
OBJECT_OUTSIDE = Rule(
    code="ofd.lint.object.outside",
    severity=_NOTE,
    zh="对象完全在页面之外",
    en="The object lies outside the page",
    clause="GB/T 33190-2016 §8.3",
)
TEXT_START = Rule(
    code="ofd.lint.text.start",
    severity=_WARNING,
    zh="首个 TextCode 缺少 {name}",
    en="The first TextCode lacks {name}",
    clause="GB/T 33190-2016 §11.3",
)
TEXT_FEW_DELTAS = Rule(
    code="ofd.lint.text.few-deltas",
    severity=_WARNING,
    zh="{length} 个字符只有 {count} 个 {name},各阅读器的补法不同",
    en="{length} characters have only {count} values of {name}: readers fill the rest differently",
    clause="GB/T 33190-2016 §11.3",
)
TEXT_MANY_DELTAS = Rule(
    code="ofd.lint.text.many-deltas",
    severity=_NOTE,
    zh="{length} 个字符有 {count} 个 {name}",
    en="{length} characters have {count} values of {name}",
    clause="GB/T 33190-2016 §11.3",
    repairable=True,
)
TEXT_EMPTY = Rule(
    code="ofd.lint.text.empty",
    severity=_NOTE,
    zh="文字对象没有文字",
    en="The text object has no text",
    clause="GB/T 33190-2016 §11.3",
)
TEXT_TRANSFORM = Rule(
    code="ofd.lint.text.transform",
    severity=_ERROR,
    zh="CGTransform 所指的第 {position} 起 {count} 个字符超出文字范围",
    en="CGTransform speaks of {count} characters from {position}, which the text has not",
    clause="GB/T 33190-2016 §11.4",
)
TEXT_GLYPH_COUNT = Rule(
    code="ofd.lint.text.glyph-count",
    severity=_ERROR,
    zh="CGTransform 的 GlyphCount 为 {count},实际列出 {found} 个字形",
    en="GlyphCount of CGTransform is {count}, and {found} glyphs are listed",
    clause="GB/T 33190-2016 §11.4",
)
TEXT_ASTRAL = Rule(
    code="ofd.lint.text.astral",
    severity=_NOTE,
    zh="基本多文种平面之外的字符与其他字符同在一个 TextCode:按 UTF-16 计数的阅读器会错位",
    en="A character beyond the BMP stands with others in a TextCode: readers that count UTF-16 units misplace them",
    clause="GB/T 33190-2016 §11.3",
)
FONT_NOT_EMBEDDED = Rule(
    code="ofd.lint.font.not-embedded",
    severity=_WARNING,
    zh="字体“{name}”没有嵌入,各处显示可能不同",
    en="The font “{name}” is not embedded and may look different elsewhere",
    clause="GB/T 33190-2016 §11.1",
)
FONT_STANDARD = Rule(
    code="ofd.lint.font.common",
    severity=_NOTE,
    zh="常用字体“{name}”没有嵌入,由阅读器所在系统提供",
    en="The common font “{name}” is not embedded; the reader's system provides it",
    clause="GB/T 33190-2016 §11.1",
)
FONT_BROKEN = Rule(
    code="ofd.lint.font.broken",
    severity=_ERROR,
    zh="字体文件 {name} 不能读取",
    en="The font file {name} cannot be read",
    clause="GB/T 33190-2016 §11.1",
)
FONT_TABLES = Rule(
    code="ofd.lint.font.tables",
    severity=_WARNING,
    zh="字体文件 {name} 缺少表 {tables},部分阅读器会拒绝它",
    en="The font file {name} lacks the tables {tables}; some readers refuse it",
    clause="GB/T 33190-2016 §11.1",
)
FONT_GLYPH = Rule(
    code="ofd.lint.font.glyph",
    severity=_ERROR,
    zh="字体 {name} 只有 {count} 个字形,没有第 {glyph} 号",
    en="The font {name} has {count} glyphs and none with the number {glyph}",
    clause="GB/T 33190-2016 §11.4",
)
FONT_CHARACTERS = Rule(
    code="ofd.lint.font.characters",
    severity=_WARNING,
    zh="嵌入的字体 {name} 没有字符:{characters}",
    en="The embedded font {name} lacks these characters: {characters}",
    clause="GB/T 33190-2016 §11.1",
)
FONT_RIGHTS = Rule(
    code="ofd.lint.font.rights",
    severity=_NOTE,
    zh="字体 {name} 声明不允许嵌入",
    en="The font {name} declares that it may not be embedded",
    clause="OpenType 1.9 OS/2 fsType",
)
FONT_WHOLE = Rule(
    code="ofd.lint.font.whole",
    severity=_NOTE,
    zh="字体 {name} 有 {count} 个字形,只用了 {used} 个:可以取子集",
    en="The font {name} has {count} glyphs of which {used} are used: it could be subset",
    clause="GB/T 33190-2016 §11.1",
)
PICTURE_FORMAT = Rule(
    code="ofd.lint.picture.format",
    severity=_WARNING,
    zh="图像 {name} 声明为 {declared},实际是 {found}",
    en="The picture {name} is declared as {declared} and is {found}",
    clause="GB/T 33190-2016 §7.9",
    repairable=True,
)
PICTURE_UNKNOWN = Rule(
    code="ofd.lint.picture.unknown",
    severity=_ERROR,
    zh="{name} 不是已知格式的图像",
    en="{name} is no picture of a known format",
    clause="GB/T 33190-2016 §7.9",
)
PICTURE_BROKEN = Rule(
    code="ofd.lint.picture.broken",
    severity=_ERROR,
    zh="图像 {name} 已损坏",
    en="The picture {name} is damaged",
    clause="GB/T 33190-2016 §10",
)
PICTURE_HUGE = Rule(
    code="ofd.lint.picture.huge",
    severity=_WARNING,
    zh="图像 {name} 有 {width}×{height} 像素,部分阅读器会拒绝",
    en="The picture {name} has {width}×{height} pixels, which some readers refuse",
    clause="GB/T 33190-2016 §10",
)
SIGNATURE_NUMBER = Rule(
    code="ofd.lint.signature.maximum",
    severity=_WARNING,
    zh="MaxSignId 为“{maximum}”,小于已用的签名标识 {used}",
    en="MaxSignId is “{maximum}”, below the signature ID {used}",
    clause="GB/T 33190-2016 §18.1",
)
SIGNATURE_REPEATED = Rule(
    code="ofd.lint.signature.repeated",
    severity=_ERROR,
    zh="签名标识 {id} 重复",
    en="The signature ID {id} is used twice",
    clause="GB/T 33190-2016 §18.1",
)
SIGNATURE_METHOD = Rule(
    code="ofd.lint.signature.weak-digest",
    severity=_WARNING,
    zh="摘要算法 {method} 不安全",
    en="The digest method {method} is broken",
    clause="GB/T 33190-2016 §18.2",
)
SIGNATURE_UNKNOWN_METHOD = Rule(
    code="ofd.lint.signature.digest",
    severity=_WARNING,
    zh="摘要算法 {method} 不是已知的写法",
    en="The digest method {method} is not known",
    clause="GB/T 33190-2016 §18.2",
)
