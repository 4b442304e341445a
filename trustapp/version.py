"""The version of the installed distribution."""

from importlib.metadata import version

__all__ = ["VERSION"]

VERSION = version("xinyin")
