"""Logs on standard error: text for people, JSON lines for machines."""

from __future__ import annotations

import json
import logging
import sys
import time

from moorage.model.shown import one_line


class _JsonFormatter(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        entry = {
            "time": time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(record.created)) + f".{int(record.msecs):03d}Z",
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": one_line(record.getMessage()),
        }
        if request_id := getattr(record, "request_id", None):
            entry["request_id"] = request_id
        if record.exc_info:
            entry["exception"] = self.formatException(record.exc_info)
        return json.dumps(entry, ensure_ascii=False)


class _TextFormatter(logging.Formatter):
    """One line a record, apart from tracebacks: what comes from outside must not be able to write a second one."""

    def formatMessage(self, record: logging.LogRecord) -> str:  # the name is logging's
        record.message = one_line(record.message)
        return super().formatMessage(record)


def configure(form: str, level: str) -> None:
    """Set up logging for this process."""
    handler = logging.StreamHandler(sys.stderr)
    text = _TextFormatter("%(asctime)s.%(msecs)03dZ %(levelname)s %(name)s: %(message)s", "%Y-%m-%dT%H:%M:%S")
    text.converter = time.gmtime
    handler.setFormatter(_JsonFormatter() if form == "json" else text)
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level.upper())
    logging.getLogger("alembic").setLevel(logging.WARNING)  # noisy
