"""A settings file with every setting, made from the settings themselves."""

import json
from datetime import timedelta
from enum import Enum
from pathlib import Path

from pydantic import BaseModel
from pydantic.fields import FieldInfo

from trustapp.settings import Settings

__all__ = ["sample"]

_WIDTH = 100


def sample() -> str:
    """TOML in which every line is a comment, so that it changes nothing until a setting is uncommented."""
    lines = ["# Settings of Xinyin 信印. Every value shown is the default; uncomment a line to change it.", ""]
    lines += _section("", Settings)
    return "\n".join(lines) + "\n"


def _section(path: str, section: type[BaseModel]) -> list[str]:
    """The settings of a section, then the sections inside it."""
    lines = ["", f"[{path}]"] if path else []
    inner: list[str] = []
    for name, field in section.model_fields.items():
        if isinstance(field.default, BaseModel):
            inner += _section(f"{path}.{name}".removeprefix("."), type(field.default))
        else:
            lines += _setting(name, field)
    return lines + inner


def _setting(name: str, field: FieldInfo) -> list[str]:
    manual = " ".join((field.description or "").split())
    lines = [f"# {line}" for line in _wrapped(manual)]
    default = field.get_default(call_default_factory=True, validated_data={})
    return [*lines, f"# {name} = {_toml(default)}", ""]


def _wrapped(text: str) -> list[str]:
    lines, line = [], ""
    for word in text.split(" "):
        if len(line) + len(word) + 1 > _WIDTH:
            lines.append(line)
            line = ""
        line = f"{line} {word}".strip()
    return [*lines, line] if line else lines


def _toml(value: object) -> str:
    match value:
        case None:
            text = '""'
        case bool():
            text = "true" if value else "false"
        case Enum():
            text = _toml(value.value)
        case timedelta():
            text = str(int(value.total_seconds()))
        case int() | float():
            text = str(value)
        case tuple() | list() | frozenset() | set():
            text = "[" + ", ".join(_toml(item) for item in value) + "]"
        case _:
            text = json.dumps(value.as_posix() if isinstance(value, Path) else str(value), ensure_ascii=False)
    return text
