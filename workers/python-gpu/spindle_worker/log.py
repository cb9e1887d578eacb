"""The worker's log: lines for people, or where SPINDLE_LOG is json an object a line. Neither holds a secret of the environment."""

from __future__ import annotations

import json
import logging
import os
import re
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from urllib.parse import quote, unquote, urlsplit

SECRET_NAME = re.compile(r"KEY|SECRET|PASSWORD|TOKEN")
SHORTEST = 6  # what is shorter stands in too many words
IDS = ("run", "nodeRun", "attempt", "code")

tasks = logging.getLogger("spindle.tasks")
"""What happens all the time: written as JSON alone, with the run and the node run in `extra`."""


def redactor(environment: Mapping[str, str]) -> Callable[[str], str]:
    """Takes out what the environment says is secret, passwords in addresses, and what follows `Bearer`."""
    secrets = {part for name, value in environment.items() if SECRET_NAME.search(name) for part in (value, quote(value, safe=""))}
    for value in environment.values():
        password = _password(value)
        secrets |= {password, unquote(password)}
    known = sorted((secret for secret in secrets if len(secret) >= SHORTEST), key=len, reverse=True)

    def redact(text: str) -> str:
        for secret in known:
            text = text.replace(secret, "[redacted]")
        text = re.sub(r"(://[^\s:/@]*:)[^\s/@]+@", r"\1[redacted]@", text)
        return re.sub(r"(Bearer\s+)[\w.~+/=-]+", r"\1[redacted]", text, flags=re.IGNORECASE)

    return redact


def _password(value: str) -> str:
    try:
        return urlsplit(value).password or "" if "://" in value else ""
    except ValueError:
        return ""


class Lines(logging.Formatter):
    def __init__(self, environment: Mapping[str, str]) -> None:
        super().__init__("%(name)s: %(message)s")
        self._redact = redactor(environment)

    def format(self, record: logging.LogRecord) -> str:
        return self._redact(super().format(record))


class Objects(Lines):
    def format(self, record: logging.LogRecord) -> str:
        level = "error" if record.levelno >= logging.ERROR else record.levelname.lower()
        line = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z"),
            "level": level,
            "part": "worker",
            "where": record.name,
            "message": self._redact(record.getMessage()),
            **{key: getattr(record, key) for key in IDS if hasattr(record, key)},
        }
        if record.exc_info:
            line["stack"] = self._redact(self.formatException(record.exc_info))
        return json.dumps(line)


def open_log(level: int, environment: Mapping[str, str] = os.environ) -> None:
    """:raises ValueError: if SPINDLE_LOG is neither text nor json"""
    form = os.environ.get("SPINDLE_LOG", "") or "text"
    if form not in ("text", "json"):
        raise ValueError(f"SPINDLE_LOG: {form[:80]!r} is neither text nor json.")
    handler = logging.StreamHandler()
    handler.setFormatter(Objects(environment) if form == "json" else Lines(environment))
    logging.basicConfig(level=level, handlers=[handler], force=True)
    tasks.setLevel(logging.INFO if form == "json" else logging.WARNING)
