"""The ``[ca]`` table of the settings."""

from datetime import timedelta
from typing import Annotated

from pydantic import Field

from trustcore.crypto.algorithms import KeyAlgorithm
from trustcore.settings import Section

__all__ = ["CaSettings"]

_MINUTE = timedelta(minutes=1)


class CaSettings(Section):
    """The certification authority."""

    public_url: str = Field(default="http://localhost:8000", pattern=r"^https?://[^\s/]+(/[^\s?#]*[^\s?#/])?$")
    """Where CRLs, certificates and OCSP are reached; stands in every certificate. Without a slash at the end."""
    crl_lifetime: Annotated[timedelta, Field(ge=timedelta(hours=1), le=timedelta(days=365))] = timedelta(days=7)
    """From thisUpdate to nextUpdate of a CRL."""
    crl_refresh: Annotated[timedelta, Field(ge=_MINUTE)] = timedelta(days=3)
    """A new CRL is published when the current one has less than this left."""
    ocsp_lifetime: Annotated[timedelta, Field(ge=_MINUTE, le=timedelta(days=7))] = timedelta(hours=1)
    """How long an OCSP answer holds."""
    responder_key: KeyAlgorithm = KeyAlgorithm.RSA_2048
    """Kind of the keys of OCSP responders and time-stamping authorities of RSA hierarchies; those of SM2 have SM2."""
    timestamp_policy: str = Field(
        default="2.25.227713237530843826371104541307426105861", pattern=r"^[0-9]+(\.[0-9]+)+$"
    )
    """Policy of the time stamps (RFC 3161 §2.1); an installation sets its own."""
    default_timestamp_authority: str = "sm2-issuing"
    """Hierarchy whose time-stamping authority answers at ``/ca/tsa``."""
