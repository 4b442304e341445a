"""The machines behind one door."""

from hsm.pool.pool import Pool
from hsm.pool.repeatable import RepeatableMachine
from hsm.pool.snapshot import KeyNumbers, Latency, MachineNumbers, MachineState, PoolSnapshot

__all__ = [
    "KeyNumbers",
    "Latency",
    "MachineNumbers",
    "MachineState",
    "Pool",
    "PoolSnapshot",
    "RepeatableMachine",
]
