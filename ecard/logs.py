"""Log lines as JSON, one object a line, without secrets: fields named like passwords never leave."""

from __future__ import annotations

import json
import logging
import re
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

_STANDARD = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "taskName", "request"}
_SECRET = re.compile(
    r"(^|_)pin|passw|secret|pepper|token|cookie|signature|authorization|(^|_)mac$"
    r"|(^|_)(index|audit|field|master|terminal|card)_keys?$",
    re.IGNORECASE,
)
_SHANGHAI = ZoneInfo("Asia/Shanghai")


class JsonLines(logging.Formatter):
    """Formats a record as one JSON object: time with offset, level, logger, event, then the `extra` fields.

    JSON escapes line breaks, so text typed by users cannot forge a second line (ASVS 16.4.1).
    """

    def format(self, record: logging.LogRecord) -> str:
        line: dict[str, Any] = {
            "at": datetime.fromtimestamp(record.created, _SHANGHAI).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "event": record.getMessage(),
        }
        extra = {name: value for name, value in vars(record).items() if name not in _STANDARD}
        line |= without_secrets(extra)
        if record.exc_info:
            line["traceback"] = self.formatException(record.exc_info)
        return json.dumps(line, ensure_ascii=False, default=str)


def without_secrets(value: Any) -> Any:
    """The same structure without the fields whose names say that they hold a password, PIN, key or cookie."""
    if isinstance(value, dict):
        return {name: without_secrets(item) for name, item in value.items() if not _SECRET.search(str(name))}
    if isinstance(value, (list, tuple)):
        return [without_secrets(item) for item in value]
    return value
