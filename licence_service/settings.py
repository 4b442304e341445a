"""Settings of the licence service."""

from pydantic import Field

from trustcore.settings import Section

__all__ = ["LicenceSettings"]


class LicenceSettings(Section):
    """``[licence]``."""

    issuer_name: str = "晴川市市场监督管理局"
    """Name of the authority that issues, as it stands on the licence and in 登记机关 of every row."""
    issuer_code: str = Field(default="11420100MB1QC26X58", pattern=r"^[0-9A-Z]{18}$")
    """Its unified social credit code."""
    seal_id: str = "department"
    """Which seal the seal service puts on licences."""
    public_url: str = Field(default="http://localhost:8000", pattern=r"^https?://[^\s/]+(/[^\s?#]*[^\s?#/])?$")
    """Where citizens reach ``/v``; it is printed into every QR code. Without a slash at the end."""
    verify_on_issue: bool = True
    """Verify every file right after sealing and refuse to issue it when the verifier calls it invalid."""
    max_upload_bytes: int = Field(default=20 * 1024 * 1024, gt=0)
    """The largest file that is taken for verification."""
