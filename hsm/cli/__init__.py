"""``xinyin hsm``: machines and the keys in them."""

from hsm.cli.app import build_cli

__all__ = ["build_cli"]
