"""User names: what people type first."""

import re

__all__ = ["is_username"]

_USERNAME = re.compile(r"[\w.@-]{1,64}")


def is_username(text: str) -> bool:
    """Whether this can be a user name: 1 to 64 letters of any script, digits or any of ``. _ @ -``."""
    return _USERNAME.fullmatch(text) is not None
