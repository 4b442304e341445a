"""The settings of an installation: one table per service.

Precedence: command line > environment (``XINYIN_CA__…``) > ``xinyin.toml``. Unknown keys are errors. Secrets stand in
files that the settings name.
"""

import os
from pathlib import Path
from typing import Any, Literal

from pydantic import Field, ValidationError, field_validator
from pydantic_settings import (
    BaseSettings,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
    TomlConfigSettingsSource,
)

from ca.settings import CaSettings
from hsm.settings import HsmSettings
from licence_service.settings import LicenceSettings
from seal_service.settings import SealSettings
from sso.settings import SsoSettings
from trustcore.errors import MalformedError
from trustcore.settings import Section

__all__ = ["CryptoSettings", "DatabaseSettings", "LogSettings", "Settings", "WebSettings", "load_settings"]

_DEFAULT_FILE = Path("xinyin.toml")
_PUBLISHING = ("ca", "licence", "sso")
"""Sections whose addresses end up in signed data and follow the installation's unless they name their own."""


class DatabaseSettings(Section):
    """Where the rows are."""

    url: str | None = None
    """SQLAlchemy address; ``xinyin.db`` in the data folder when it is not given or empty. PostgreSQL:
    ``postgresql+psycopg://user@host/name``, with the password in ``PGPASSFILE``."""

    @field_validator("url")
    @classmethod
    def _empty_is_none(cls, value: str | None) -> str | None:
        return value or None


class LogSettings(Section):
    """What is logged, to standard error."""

    level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = "INFO"
    """The least level that the server logs; commands log warnings and errors only."""
    form: Literal["auto", "json", "console"] = "auto"
    """``auto``: text on a terminal, JSON lines elsewhere."""


class WebSettings(Section):
    """The server."""

    max_body_bytes: int = Field(default=64 * 1024 * 1024, ge=1024)
    """The largest request, in bytes."""


class CryptoSettings(Section):
    """Cryptography in this program's own processes."""

    sm2: Literal["native", "libcrypto"] = "native"
    """What verifies SM2 signatures: our own arithmetic, compiled at the first start, or the system's libcrypto, which
    takes some five times as long. The answers are the same."""


class Settings(BaseSettings):
    """Everything that an installation decides."""

    model_config = SettingsConfigDict(
        env_prefix="XINYIN_",
        env_nested_delimiter="__",
        extra="forbid",
        frozen=True,
        use_attribute_docstrings=True,
    )

    data_dir: Path = Path("var")
    """Where the database, documents and, for demonstration, the software machines live."""
    public_url: str = "http://localhost:8000"
    """How the world reaches this installation; stands in certificates, QR codes and tokens."""
    database: DatabaseSettings = DatabaseSettings()
    log: LogSettings = LogSettings()
    web: WebSettings = WebSettings()
    crypto: CryptoSettings = CryptoSettings()
    hsm: HsmSettings = HsmSettings()
    ca: CaSettings = CaSettings()
    seal: SealSettings = SealSettings()
    licence: LicenceSettings = LicenceSettings()
    sso: SsoSettings = SsoSettings()

    @field_validator("public_url")
    @classmethod
    def _without_slash(cls, value: str) -> str:
        return value.rstrip("/")

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Arguments first, then the environment, then the file."""
        return init_settings, env_settings, TomlConfigSettingsSource(settings_cls)

    @property
    def database_url(self) -> str:
        """The address of the database, the default filled in."""
        return self.database.url or f"sqlite:///{self.data_dir.absolute() / 'xinyin.db'}"


def load_settings(file: Path | None = None, *, data_dir: Path | None = None) -> Settings:
    """The settings from command line, environment and file.

    Args:
        file: the settings file; ``XINYIN_CONFIG`` or, where it exists, ``xinyin.toml`` when not given.
        data_dir: overrides the data folder.

    Raises:
        MalformedError: ``settings.invalid`` with the name of the first wrong key; ``settings.missing`` when a named
            file does not exist.
    """
    named = file or (Path(os.environ["XINYIN_CONFIG"]) if os.environ.get("XINYIN_CONFIG") else None)
    if named is not None and not named.is_file():
        raise MalformedError(f"there is no settings file {named}", code="settings.missing")
    overrides: dict[str, Any] = {} if data_dir is None else {"data_dir": data_dir}
    try:
        loaded = _reading(named or _DEFAULT_FILE)(**overrides)
    except ValidationError as error:
        first = error.errors()[0]
        key = ".".join(str(part) for part in first["loc"])
        detail = f"the setting {key} is not right: {first['msg']}"
        raise MalformedError(detail, code="settings.invalid", key=key) from error
    except ValueError as error:
        raise MalformedError(f"the settings file cannot be read: {error}", code="settings.invalid") from error
    return _with_one_address(loaded)


def _reading(file: Path) -> type[Settings]:
    class FromFile(Settings):
        model_config = SettingsConfigDict(toml_file=file)

    return FromFile


def _with_one_address(settings: Settings) -> Settings:
    changed = {}
    for name in _PUBLISHING:
        section: Section = getattr(settings, name)
        if "public_url" not in section.model_fields_set:
            changed[name] = section.model_copy(update={"public_url": settings.public_url})
    return settings.model_copy(update=changed)
