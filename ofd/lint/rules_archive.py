"""Rules of OFD-A, the archive profile of GB/T 42133-2022, as far as they are public."""

from ofd.lint.finding import Rule, Severity

__all__: list[str] = []

_ERROR, _WARNING, _NOTE = Severity.ERROR, Severity.WARNING, Severity.NOTE

DOC_TYPE = Rule(
    code="ofd.archive.doc-type",
    severity=_ERROR,
    zh="DocType 应为 OFD-A,实际为“{found}”",
    en="DocType should be OFD-A and is “{found}”",
    clause="GB/T 42133-2022 §6.1",
    repairable=True,
)
SEVERAL_DOCUMENTS = Rule(
    code="ofd.archive.several-documents",
    severity=_ERROR,
    zh="一个文件只应有一个文档,实际有 {count} 个",
    en="A file should hold one document and holds {count}",
    clause="GB/T 42133-2022 §6.2",
)
VERSIONS = Rule(
    code="ofd.archive.versions",
    severity=_ERROR,
    zh="不应保留历史版本",
    en="No earlier versions should be kept",
    clause="GB/T 42133-2022 §6.2",
    repairable=True,
)
ENCRYPTED = Rule(
    code="ofd.archive.encrypted",
    severity=_ERROR,
    zh="不应加密",
    en="The document should not be encrypted",
    clause="GB/T 42133-2022 §6.2",
)
PERMISSIONS = Rule(
    code="ofd.archive.permissions",
    severity=_ERROR,
    zh="不应限制使用权限",
    en="The document should not restrict its use",
    clause="GB/T 42133-2022 §6.2",
    repairable=True,
)
PREFERENCES = Rule(
    code="ofd.archive.preferences",
    severity=_WARNING,
    zh="不应有视图首选项",
    en="The document should have no viewer preferences",
    clause="GB/T 42133-2022 §6.2",
    repairable=True,
)
ACTION = Rule(
    code="ofd.archive.action",
    severity=_ERROR,
    zh="只允许跳转动作,不允许 {name}",
    en="Only Goto actions are allowed, not {name}",
    clause="GB/T 42133-2022 §6.2.5",
    repairable=True,
)
EXTENSION = Rule(
    code="ofd.archive.extension",
    severity=_ERROR,
    zh="不应有扩展信息",
    en="The document should have no extensions",
    clause="GB/T 42133-2022 §6.2",
    repairable=True,
)
EXTERNAL = Rule(
    code="ofd.archive.external",
    severity=_ERROR,
    zh="引用了文件包以外的内容:{location}",
    en="Something outside the package is referred to: {location}",
    clause="GB/T 42133-2022 §6.2",
)
MEDIA = Rule(
    code="ofd.archive.media",
    severity=_ERROR,
    zh="不允许{zh_kind}",
    en="{kind} is not allowed",
    clause="GB/T 42133-2022 §6.2.6",
    repairable=True,
)
FONT = Rule(
    code="ofd.archive.font",
    severity=_ERROR,
    zh="字体“{name}”必须嵌入",
    en="The font “{name}” must be embedded",
    clause="GB/T 42133-2022 §6.2.6 b)",
    repairable=True,
)
PICTURE = Rule(
    code="ofd.archive.picture",
    severity=_ERROR,
    zh="图像 {name} 的格式 {found} 不在 BMP、JPEG、PNG、JBIG2、JPEG 2000、TIFF 之内",
    en="The picture {name} is {found}, not BMP, JPEG, PNG, JBIG2, JPEG 2000 or TIFF",
    clause="GB/T 42133-2022 §6.2.6 e)",
    repairable=True,
)
PICTURE_EXTENSION = Rule(
    code="ofd.archive.picture-extension",
    severity=_WARNING,
    zh="图像资源含有自定义数据 {name}",
    en="The picture resource holds data of its own, {name}",
    clause="GB/T 42133-2022 §6.2.6 f)",
    repairable=True,
)
RESOURCE_PLACE = Rule(
    code="ofd.archive.resource-place",
    severity=_WARNING,
    zh="{name} 不应在{zh_place}中定义",
    en="{name} should not be defined in the {place}",
    clause="GB/T 42133-2022 §6.2.6 a)",
)
SHARED_PICTURE = Rule(
    code="ofd.archive.shared-picture",
    severity=_WARNING,
    zh="多页共用的图像 {id} 应在文档资源中定义",
    en="The picture {id}, which several pages use, should be defined in the document's resources",
    clause="GB/T 42133-2022 §6.5 a)",
)
COLOR_SPACE = Rule(
    code="ofd.archive.color-space",
    severity=_ERROR,
    zh="颜色空间类型“{found}”不允许",
    en="The colour space type “{found}” is not allowed",
    clause="GB/T 42133-2022 §6.3.1 b)",
)
BLOCK_DEPTH = Rule(
    code="ofd.archive.block-depth",
    severity=_ERROR,
    zh="页面块嵌套 {depth} 层,最多 3 层",
    en="Page blocks are nested {depth} deep; at most 3 are allowed",
    clause="GB/T 42133-2022 §6.2.3 e)",
    repairable=True,
)
TEXT_STRETCHED = Rule(
    code="ofd.archive.text-stretched",
    severity=_WARNING,
    zh="仅横向缩放的文字应使用 HScale,而不是 CTM“{matrix}”",
    en="Text that is only stretched sideways should use HScale instead of the CTM “{matrix}”",
    clause="GB/T 42133-2022 §6.6 d)",
)
ANNOTATION = Rule(
    code="ofd.archive.annotation",
    severity=_WARNING,
    zh="注释 {id} 的 {name} 应为 true",
    en="{name} of the annotation {id} should be true",
    clause="GB/T 42133-2022 §6.10.1",
    repairable=True,
)
ANNOTATION_BLOCK = Rule(
    code="ofd.archive.annotation-block",
    severity=_WARNING,
    zh="注释 {id} 的外观中嵌套了页面块",
    en="The appearance of the annotation {id} holds page blocks",
    clause="GB/T 42133-2022 §6.10.1",
    repairable=True,
)
SIGNATURE = Rule(
    code="ofd.archive.signature",
    severity=_ERROR,
    zh="签名 {id} 应在归档前去技术化:外观转为注释,签章信息另行保存",
    en="The signature {id} should be turned into an annotation with its data kept beside, before archiving",
    clause="GB/T 42133-2022 §6.13",
)
ATTACHMENT = Rule(
    code="ofd.archive.attachment",
    severity=_ERROR,
    zh="附件“{name}”的格式“{format}”不是纯文本(TXT、XML)",
    en="The attachment “{name}” has the format “{format}” and is not plain text (TXT, XML)",
    clause="GB/T 42133-2022 §6.15",
    repairable=True,
)
