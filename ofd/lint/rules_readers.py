"""Rules that a product needs and the standard does not ask for. Each says where the fact comes from."""

from ofd.lint.finding import Rule, Severity

__all__: list[str] = []

_WARNING, _NOTE = Severity.WARNING, Severity.NOTE

SUWELL_OPENTYPE = Rule(
    code="ofd.lint.reader.suwell.opentype",
    severity=_WARNING,
    zh="数科阅读器不加载嵌入的 OpenType(CFF)字体 {name},会改用系统字体",
    en="Suwell's reader does not load the embedded OpenType (CFF) font {name} and takes one of the system",
    clause="ofdrw #10",
    reader="suwell",
)
SUWELL_PROPERTY = Rule(
    code="ofd.lint.reader.suwell.property-info",
    severity=_WARNING,
    zh="数科、福昕阅读器会拒绝该印章:propertyInfo 应为 {wanted},实际为“{found}”",
    en="Suwell's and Foxit's readers will refuse this seal: propertyInfo should be {wanted} and is “{found}”",
    clause="OESV4 docProperty",
    reader="suwell",
)
SUWELL_BARE_SIGNATURE = Rule(
    code="ofd.lint.reader.suwell.bare-signature",
    severity=_WARNING,
    zh="数科阅读器会拒绝 {name}:签名值不是 GB/T 35275 的签名数据",
    en="Suwell's reader will refuse {name}: the signature value is not signed data of GB/T 35275",
    clause="GB/T 33190-2016 §18.2; GB/T 35275-2017",
    reader="suwell",
)
SES_V5 = Rule(
    code="ofd.lint.reader.all.ses-v5",
    severity=_NOTE,
    zh="第 5 版印章(GM/T 0031-2025)在旧版阅读器中无法验证",
    en="Readers made before GM/T 0031-2025 cannot verify a version 5 seal",
    clause="GM/T 0031-2025",
    reader="all",
)
ENCRYPTED = Rule(
    code="ofd.lint.reader.all.encrypted",
    severity=_WARNING,
    zh="目前没有桌面阅读器能打开 GM/T 0099 加密的文件",
    en="No desktop reader opens documents encrypted by GM/T 0099",
    clause="ofdrw #171",
    reader="all",
)
OFDRW_PAGE_FOLDER = Rule(
    code="ofd.lint.reader.ofdrw.page-folder",
    severity=_NOTE,
    zh="ofdrw 2.3.2 之前的版本不能读取页面目录 {name}:Page_ 之后应为数字",
    en="ofdrw before 2.3.2 cannot read the page folder {name}: digits should follow Page_",
    clause="ofdrw #293",
    reader="ofdrw",
)
OFDRW_SEVERAL_BODIES = Rule(
    code="ofd.lint.reader.ofdrw.several-documents",
    severity=_WARNING,
    zh="ofdrw 只读取 {count} 个文档中的第一个",
    en="ofdrw reads only the first of {count} documents",
    clause="GB/T 33190-2016 §7.4",
    reader="ofdrw",
)
OFDRW_CHECK_METHOD = Rule(
    code="ofd.lint.reader.ofdrw.check-method",
    severity=_WARNING,
    zh="ofdrw 会拒绝摘要算法的写法“{method}”",
    en="ofdrw will refuse the digest method “{method}”",
    clause="ofdrw #192",
    reader="ofdrw",
)
EASYOFD_PREFIX = Rule(
    code="ofd.lint.reader.easyofd.prefix",
    severity=_WARNING,
    zh="easyofd 读不到内容:命名空间前缀是“{prefix}”,不是 ofd",
    en="easyofd finds nothing here: the prefix of the namespace is “{prefix}” and not ofd",
    clause="GB/T 33190-2016 Annex A",
    reader="easyofd",
    repairable=True,
)
EASYOFD_NESTED_SEAL = Rule(
    code="ofd.lint.reader.easyofd.nested-seal",
    severity=_WARNING,
    zh="easyofd 与 ofd.js 不显示图像类型为 ofd 的印章",
    en="easyofd and ofd.js do not show a seal whose picture is an OFD document",
    clause="easyofd #68, ofd.js #91",
    reader="easyofd",
)
OFDJS_GLYPHS = Rule(
    code="ofd.lint.reader.ofdjs.character-map",
    severity=_WARNING,
    zh="浏览器类阅读器无法显示:字体 {name} 没有字符映射表",
    en="Readers in browsers cannot show this: the font {name} has no character map",
    clause="EasyOFD #13, liteofd #5",
    reader="ofdjs",
)
