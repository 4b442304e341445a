"""The driver of machines that speak SDF (GM/T 0018)."""

from hsm.sdf.machine import SdfMachine

__all__ = ["SdfMachine"]
