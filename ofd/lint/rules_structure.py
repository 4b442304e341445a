"""Rules on the package, the XML parts, their schema, identifiers and links."""

from ofd.lint.finding import Rule, Severity

__all__: list[str] = []

_ERROR, _WARNING, _NOTE = Severity.ERROR, Severity.WARNING, Severity.NOTE

PACKAGE_UNREADABLE = Rule(
    code="ofd.lint.package.unreadable",
    severity=_ERROR,
    zh="文件包不能按严格规则读取:{reason}",
    en="The package cannot be read strictly: {reason}",
    clause="GB/T 33190-2016 §6.2",
    repairable=True,
)
PACKAGE_HOPELESS = Rule(
    code="ofd.lint.package.hopeless",
    severity=_ERROR,
    zh="文件包完全不能读取:{reason}",
    en="The package cannot be read at all: {reason}",
    clause="GB/T 33190-2016 §6.2",
)
PACKAGE_LENIENT = Rule(
    code="ofd.lint.package.lenient",
    severity=_WARNING,
    zh="只有宽松的阅读器才能读取:{zh}",
    en="Only lenient readers can read this: {en}",
    clause="GB/T 33190-2016 §6.2, §7.1",
    repairable=True,
)
PACKAGE_UNLINKED = Rule(
    code="ofd.lint.package.unlinked",
    severity=_NOTE,
    zh="没有任何文件引用 {name}",
    en="Nothing in the document links to {name}",
    clause="GB/T 33190-2016 §6.2",
)
PACKAGE_ENCRYPTED = Rule(
    code="ofd.lint.package.encrypted",
    severity=_NOTE,
    zh="文件按 GM/T 0099 加密,未解密的部分不作检查",
    en="The document is encrypted by GM/T 0099; what is encrypted is not checked",
    clause="GM/T 0099-2020 §7.3",
)
PART_UNREADABLE = Rule(
    code="ofd.lint.part.unreadable",
    severity=_ERROR,
    zh="{name} 不能读取:{reason}",
    en="{name} cannot be read: {reason}",
    clause="GB/T 33190-2016 §6.2",
)
PART_ROOT = Rule(
    code="ofd.lint.part.root",
    severity=_ERROR,
    zh="根元素应为 {wanted},实际为 {found}",
    en="The root element should be {wanted} and is {found}",
    clause="GB/T 33190-2016 Annex A",
)
PART_NAMESPACE = Rule(
    code="ofd.lint.part.namespace",
    severity=_WARNING,
    zh="使用了旧的命名空间“{found}”",
    en="The namespace is the old “{found}”",
    clause="GB/T 33190-2016 Annex A",
    repairable=True,
)
FOREIGN_ELEMENT = Rule(
    code="ofd.lint.schema.foreign-element",
    severity=_NOTE,
    zh="{parent} 中有其他命名空间的元素 {name}",
    en="{parent} holds an element {name} of another namespace",
    clause="GB/T 33190-2016 Annex A",
)
UNKNOWN_ELEMENT = Rule(
    code="ofd.lint.schema.unknown-element",
    severity=_WARNING,
    zh="{parent} 中没有元素 {name} 的规定",
    en="The standard knows no element {name} in {parent}",
    clause="GB/T 33190-2016 Annex A",
)
UNKNOWN_ATTRIBUTE = Rule(
    code="ofd.lint.schema.unknown-attribute",
    severity=_WARNING,
    zh="{parent} 没有属性 {name} 的规定",
    en="The standard knows no attribute {name} of {parent}",
    clause="GB/T 33190-2016 Annex A",
)
VENDOR_EXTENSION = Rule(
    code="ofd.lint.schema.vendor",
    severity=_NOTE,
    zh="{parent} 的 {name} 不在 2016 年标准之内,多数阅读器会忽略",
    en="{name} of {parent} is not in the standard of 2016; most readers ignore it",
    clause="GB/T 33190-2016 Annex A",
)
ELEMENT_ORDER = Rule(
    code="ofd.lint.schema.order",
    severity=_WARNING,
    zh="{parent} 中 {name} 的次序不符合模式",
    en="{name} stands out of order in {parent}",
    clause="GB/T 33190-2016 Annex A",
    repairable=True,
)
ELEMENT_REPEATED = Rule(
    code="ofd.lint.schema.repeated",
    severity=_ERROR,
    zh="{parent} 中 {name} 出现了 {count} 次",
    en="{name} stands {count} times in {parent}",
    clause="GB/T 33190-2016 Annex A",
)
ELEMENT_MISSING = Rule(
    code="ofd.lint.schema.missing",
    severity=_ERROR,
    zh="{parent} 缺少 {name}",
    en="{parent} lacks {name}",
    clause="GB/T 33190-2016 Annex A",
)
ATTRIBUTE_MISSING = Rule(
    code="ofd.lint.schema.missing-attribute",
    severity=_ERROR,
    zh="{parent} 缺少属性 {name}",
    en="{parent} lacks the attribute {name}",
    clause="GB/T 33190-2016 Annex A",
)
VALUE_WRONG = Rule(
    code="ofd.lint.schema.value",
    severity=_ERROR,
    zh="{parent} 的 {name} 值“{value}”不合规定",
    en="The value “{value}” of {name} in {parent} is not allowed",
    clause="GB/T 33190-2016 §7.3, Annex A",
)
VALUE_FORM = Rule(
    code="ofd.lint.schema.form",
    severity=_WARNING,
    zh="{parent} 的 {name} 值“{value}”书写形式不合规定",
    en="The value “{value}” of {name} in {parent} is not written as the standard asks",
    clause="GB/T 33190-2016 §7.3, Annex A",
    repairable=True,
)
TEXT_MARKUP = Rule(
    code="ofd.lint.schema.markup",
    severity=_WARNING,
    zh="{name} 的文本中夹有标记或注释,各阅读器读到的值可能不同",
    en="The text of {name} has markup or a comment in it: readers may find different values",
    clause="GB/T 33190-2016 Annex A",
)
ID_REPEATED = Rule(
    code="ofd.lint.id.repeated",
    severity=_ERROR,
    zh="标识 {id} 已用于 {first}",
    en="The ID {id} is already used in {first}",
    clause="GB/T 33190-2016 §7.3",
)
ID_ZERO = Rule(
    code="ofd.lint.id.zero",
    severity=_WARNING,
    zh="标识 0 是无效标识",
    en="0 is the invalid ID",
    clause="GB/T 33190-2016 §7.3",
)
ID_MAXIMUM = Rule(
    code="ofd.lint.id.maximum",
    severity=_ERROR,
    zh="MaxUnitID 为 {maximum},小于已用的最大标识 {used}",
    en="MaxUnitID is {maximum}, below the largest ID in use, {used}",
    clause="GB/T 33190-2016 §7.5",
    repairable=True,
)
REFERENCE_MISSING = Rule(
    code="ofd.lint.reference.missing",
    severity=_ERROR,
    zh="没有标识为 {id} 的{zh_kind}",
    en="There is no {kind} with the ID {id}",
    clause="GB/T 33190-2016 §7.3, §7.9",
)
REFERENCE_KIND = Rule(
    code="ofd.lint.reference.kind",
    severity=_ERROR,
    zh="标识 {id} 应为{zh_kind},实际为{zh_found}",
    en="The ID {id} should be a {kind} and is a {found}",
    clause="GB/T 33190-2016 §7.3, §7.9",
)
REFERENCE_ELSEWHERE = Rule(
    code="ofd.lint.reference.elsewhere",
    severity=_WARNING,
    zh="标识为 {id} 的{zh_kind}只在别的页面的资源中定义",
    en="The {kind} with the ID {id} is defined only in the resources of another page",
    clause="GB/T 33190-2016 §7.9",
)
REFERENCE_CYCLE = Rule(
    code="ofd.lint.reference.cycle",
    severity=_ERROR,
    zh="标识为 {id} 的{zh_kind}引用了自身",
    en="The {kind} with the ID {id} refers to itself",
    clause="GB/T 33190-2016 §8.2, §13",
)
LINK_MALFORMED = Rule(
    code="ofd.lint.link.malformed",
    severity=_ERROR,
    zh="位置“{location}”不是合规的路径",
    en="The location “{location}” is not a plain path",
    clause="GB/T 33190-2016 §7.1",
)
LINK_MISSING = Rule(
    code="ofd.lint.link.missing",
    severity=_ERROR,
    zh="所引用的 {location} 不在文件包中",
    en="{location} is linked and not in the package",
    clause="GB/T 33190-2016 §7.1",
)
LINK_DANGLING = Rule(
    code="ofd.lint.link.dangling",
    severity=_ERROR,
    zh="资源文件 {location} 不在文件包中",
    en="The resource file {location} is linked and not in the package",
    clause="GB/T 33190-2016 §7.1",
    repairable=True,
)
LINK_LENIENT = Rule(
    code="ofd.lint.link.lenient",
    severity=_WARNING,
    zh="位置“{location}”只有宽松的阅读器才能找到 {name}",
    en="Only lenient readers find {name} by the location “{location}”",
    clause="GB/T 33190-2016 §7.1",
    repairable=True,
)
