"""The ``[sso]`` table."""

from datetime import timedelta

import pytest
from pydantic import ValidationError

from sso.settings import SsoSettings


def test_the_issuer_grows_from_the_public_url() -> None:
    settings = SsoSettings(public_url="https://trust.example.cn:8443")
    assert settings.issuer == "https://trust.example.cn:8443/sso"
    assert settings.is_https


@pytest.mark.parametrize(
    "url", ["https://trust.example.cn/", "https://trust.example.cn/x", "trust.example.cn", "ftp://x", "https://", ""]
)
def test_a_public_url_that_is_not_an_origin_is_refused(url: str) -> None:
    with pytest.raises(ValidationError):
        SsoSettings(public_url=url)


@pytest.mark.parametrize(
    "changed",
    [
        {"code_lifetime": timedelta(seconds=61)},
        {"id_token_lifetime": timedelta(minutes=11)},
        {"access_token_lifetime": timedelta(0)},
        {"session_absolute": timedelta(days=2)},
        {"concurrent_password_hashes": 0},
        {"unknown": 1},
    ],
)
def test_settings_that_would_weaken_the_checklist_are_refused(changed: dict[str, object]) -> None:
    """“5. Code ≤60 s”, “14. … exp ≤10 min”."""
    with pytest.raises(ValidationError):
        SsoSettings.model_validate(changed)
