"""What keeps secrets of a process inside it."""

import ctypes
import resource

from trustcore.errors import InternalError

__all__ = ["forbid_core_dumps"]

_PR_SET_DUMPABLE = 4
"""``linux/prctl.h``."""


def forbid_core_dumps() -> None:
    """Let no memory of this process, nor of those it starts, reach a core file or another user's debugger.

    PINs and unwrapped data keys stand in memory. The limit of core(5) does not hold where ``core_pattern`` is a pipe,
    so the process is also made undumpable (prctl(2), PR_SET_DUMPABLE); a program that it executes is dumpable again
    and keeps the limit.

    Raises:
        InternalError: ``process.core-dumps`` where the system refuses.
    """
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    if ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_DUMPABLE, 0, 0, 0, 0) != 0:
        raise InternalError("The system does not let core dumps be forbidden.", code="process.core-dumps")
