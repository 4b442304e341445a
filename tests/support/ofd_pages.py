"""Documents written by hand, element for element, for tests of reading and drawing."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from ofd.package.reader import write_package

_NAMESPACE = "http://www.ofdspec.org/2016"
_HEAD = f'<?xml version="1.0" encoding="UTF-8"?>\n<{{name}} xmlns="{_NAMESPACE}" {{attributes}}>{{content}}</{{name}}>'


def part(name: str, content: str = "", attributes: str = "") -> bytes:
    """An XML part with this root element."""
    return _HEAD.format(name=name, content=content, attributes=attributes).encode()


@dataclass(kw_only=True)
class HandMade:
    """A document of which each piece of XML can be given; what is not is left out or plain."""

    pages: tuple[str, ...] = ("",)
    """What stands in the Body layer of each page, or a whole Page's content when it has ``<Content``."""
    public: str = ""
    document_resources: str = ""
    common: str = ""
    """More children of CommonData."""
    document: str = ""
    """More children of Document."""
    root: str = ""
    """More children of DocBody."""
    info: str = ""
    """More children of DocInfo."""
    box: str = "0 0 210 297"
    files: Mapping[str, bytes] = field(default_factory=dict)
    """More entries, or others in the place of those made here."""

    def to_bytes(self) -> bytes:
        """The package."""
        links = "".join(
            f'<Page ID="{index + 1000}" BaseLoc="Pages/Page_{index}/Content.xml"/>' for index in range(len(self.pages))
        )
        common = (
            f"<MaxUnitID>9999</MaxUnitID><PageArea><PhysicalBox>{self.box}</PhysicalBox></PageArea>"
            "<PublicRes>PublicRes.xml</PublicRes><DocumentRes>DocumentRes.xml</DocumentRes>" + self.common
        )
        files = {
            "OFD.xml": part(
                "OFD",
                f"<DocBody><DocInfo><DocID>{'0' * 32}</DocID>{self.info}</DocInfo>"
                f"<DocRoot>Doc_0/Document.xml</DocRoot>{self.root}</DocBody>",
                'Version="1.0" DocType="OFD"',
            ),
            "Doc_0/Document.xml": part(
                "Document", f"<CommonData>{common}</CommonData><Pages>{links}</Pages>{self.document}"
            ),
            "Doc_0/PublicRes.xml": part("Res", self.public, 'BaseLoc="Res"'),
            "Doc_0/DocumentRes.xml": part("Res", self.document_resources, 'BaseLoc="Res"'),
        }
        for index, content in enumerate(self.pages):
            whole = content if "<Content" in content else f'<Content><Layer ID="1">{content}</Layer></Content>'
            files[f"Doc_0/Pages/Page_{index}/Content.xml"] = part("Page", whole)
        return write_package({**files, **self.files})
