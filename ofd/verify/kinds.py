"""What the parts of a document are for (GB/T 33190-2016 §6 to §18)."""

from enum import StrEnum

__all__ = ["Kind"]


class Kind(StrEnum):
    """What a part is for."""

    ROOT = "root"
    DOCUMENT = "document"
    PAGE = "page"
    TEMPLATE = "template"
    RESOURCE = "resource"
    FONT = "font"
    MEDIA = "media"
    PROFILE = "colour-profile"
    ANNOTATION_LIST = "annotation-list"
    ANNOTATION = "annotation"
    VERSION = "version"
    VERSION_FILE = "version-file"
    COVER = "cover"
    ATTACHMENT_LIST = "attachment-list"
    ATTACHMENT = "attachment"
    TAG_LIST = "tag-list"
    TAG = "tag"
    EXTENSION_LIST = "extension-list"
    EXTENSION = "extension"

    @property
    def is_shown(self) -> bool:
        """Whether a change of it changes what a reader sees."""
        return self not in _NOT_SHOWN


_NOT_SHOWN = {
    Kind.ROOT,
    Kind.COVER,
    Kind.ATTACHMENT_LIST,
    Kind.ATTACHMENT,
    Kind.TAG_LIST,
    Kind.TAG,
    Kind.EXTENSION_LIST,
    Kind.EXTENSION,
}
