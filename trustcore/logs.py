"""Logs: structlog to standard error, static event names, identifiers instead of objects. Audit is not logging."""

import logging
import sys
from typing import Literal

import structlog

__all__ = ["configure"]


def configure(*, level: str = "INFO", form: Literal["auto", "json", "console"] = "auto") -> None:
    """Route structlog and the standard library's logging to standard error.

    Args:
        level: the least level that is shown.
        form: ``auto`` is coloured text on a terminal and JSON lines elsewhere.
    """
    console = form == "console" or (form == "auto" and sys.stderr.isatty())
    renderer: structlog.typing.Processor = (
        structlog.dev.ConsoleRenderer() if console else structlog.processors.JSONRenderer(ensure_ascii=False)
    )
    shared: list[structlog.typing.Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    ]
    structlog.configure(
        processors=[*shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        wrapper_class=structlog.make_filtering_bound_logger(logging.getLevelName(level)),
        logger_factory=structlog.stdlib.LoggerFactory(),
        cache_logger_on_first_use=False,
    )
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared,
            processors=[
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                structlog.processors.format_exc_info,
                renderer,
            ],
        )
    )
    root = logging.getLogger()
    root.handlers = [handler]
    root.setLevel(level)
    for noisy in ("fontTools", "pyhanko", "pyhanko_certvalidator", "PIL", "asyncio"):
        logging.getLogger(noisy).setLevel("WARNING")
