"""Structured logs on standard error: JSON lines, or aligned text on a terminal.

No key, password or message body is ever given to a logger; `redact` is the safety net under that rule.
"""

from __future__ import annotations

import logging
import re
import sys
from collections.abc import MutableMapping
from typing import Any

import structlog

_LEVELS = {"debug": 10, "info": 20, "warning": 30, "error": 40}
# API keys are 40 hexadecimal digits, callback secrets begin with whsec_.
_SECRETS = re.compile(r"(?<![0-9a-f])[0-9a-f]{40}(?![0-9a-f])|whsec_[A-Za-z0-9+/=_-]+")
_NAMES = frozenset(
    {"apikey", "api_key", "key", "password", "authorization", "message", "text", "body", "secret"}
)


class Sparing:
    """Says which of many lines of one kind are logged: what a peer or a full disk causes must not fill the log."""

    def __init__(self, lines_max: int = 20, every_s: float = 60.0) -> None:
        self._lines_max = lines_max
        self._every_s = every_s
        self._began_s = 0.0
        self._lines = 0
        self._kept_back = 0

    def kept_back(self, now_s: float) -> int | None:
        """How many lines before this one were not logged; None when this one is not to be logged either."""
        if self._lines == 0 or now_s - self._began_s >= self._every_s:
            self._began_s, self._lines = now_s, 0
        if self._lines >= self._lines_max:
            self._kept_back += 1
            return None
        self._lines += 1
        kept_back, self._kept_back = self._kept_back, 0
        return kept_back


def redact(_logger: Any, _method: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """Replaces what looks like a secret, and every value whose name says that it is one."""
    for name, value in event.items():
        if name.lower() in _NAMES:
            event[name] = "[redacted]"
        elif isinstance(value, str):
            event[name] = _SECRETS.sub("[redacted]", value)
    return event


def set_up_logs(level: str) -> None:
    """Called once, before anything is logged."""
    is_terminal = sys.stderr.isatty()
    shared: list[structlog.typing.Processor] = [
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    ]
    rendering: list[structlog.typing.Processor] = (
        # The text of an exception is looked over too, so it is made before.
        [redact, structlog.dev.ConsoleRenderer()]
        if is_terminal
        else [structlog.processors.format_exc_info, redact, structlog.processors.JSONRenderer()]
    )
    structlog.configure(
        processors=[
            structlog.stdlib.filter_by_level,
            *shared,
            redact,
            structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
        ],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=True,
    )
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared,
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, *rendering],
        )
    )
    logging.basicConfig(handlers=[handler], level=_LEVELS[level], force=True)
    for noisy in ("asyncio", "alembic", "sqlalchemy"):
        logging.getLogger(noisy).setLevel(max(_LEVELS[level], logging.WARNING))
    # It warns of every malformed request and of every Java client (which offers HTTP/2 by Upgrade): what
    # strangers send must not fill the log.
    logging.getLogger("uvicorn.error").setLevel(logging.ERROR)
    logging.captureWarnings(True)
