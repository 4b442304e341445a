"""The machines behind one door."""

from hsm.pool.pool import MachineState, Pool

__all__ = ["MachineState", "Pool"]
