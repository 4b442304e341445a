"""The codes of the product's SM2 arithmetic that this processor can run."""

from pathlib import Path

__all__ = ["SM2_CODES"]


def _codes() -> tuple[str, ...]:
    words = set(Path("/proc/cpuinfo").read_text(encoding="utf-8").split())
    return ("portable", "x86-64-avx2") if {"avx2", "bmi2"} <= words else ("portable",)


SM2_CODES = _codes()
"""Names as ``sm2_native_start`` takes them."""
