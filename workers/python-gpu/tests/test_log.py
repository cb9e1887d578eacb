"""What the worker writes into its log."""

from __future__ import annotations

import json
import logging
import sys

import pytest

from spindle_worker.log import Lines, Objects, open_log, redactor, tasks

ENVIRONMENT = {
    "SPINDLE_WORKER_KEY": "0123456789abcdef0123456789abcdef",
    "REDIS_URL": "redis://worker:canary%20one@redis:6379",
    "PORT": "3000",
}
SECRETS = ("0123456789abcdef0123456789abcdef", "canary%20one", "canary one")


def record(message: str, **extra: object) -> logging.LogRecord:
    try:
        raise ValueError(message)
    except ValueError:
        made = logging.LogRecord("spindle.slot", logging.ERROR, __file__, 1, "%s", (message,), sys.exc_info())
    for key, value in extra.items():
        setattr(made, key, value)
    return made


@pytest.mark.parametrize("form", [Lines(ENVIRONMENT), Objects(ENVIRONMENT)], ids=["text", "json"])
def test_no_secret_is_in_a_line(form: logging.Formatter) -> None:
    """[S5] Neither in the message nor in the trace."""
    for secret in SECRETS:
        line = form.format(record(f"Redis at {secret} is away"))
        assert secret not in line
        assert "[redacted]" in line


def test_what_the_environment_does_not_know_is_taken_out_by_its_form() -> None:
    """[S5] Passwords in addresses, and bearers."""
    assert redactor({})("redis://a:other@h:1 Bearer abc.1 3000") == "redis://a:[redacted]@h:1 Bearer [redacted] 3000"


def test_a_line_of_json_has_the_run_and_the_node_run() -> None:
    """One line each, whatever the trace."""
    line = Objects(ENVIRONMENT).format(record("It failed.", run="r", nodeRun="n"))
    assert "\n" not in line
    said = json.loads(line)
    assert (said["level"], said["part"], said["run"], said["nodeRun"]) == ("error", "worker", "r", "n")
    assert "ValueError: It failed." in said["stack"]


def test_only_json_has_what_happens_all_the_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """And a form that is neither is refused."""
    monkeypatch.delenv("SPINDLE_LOG", raising=False)
    open_log(logging.INFO, ENVIRONMENT)
    assert not tasks.isEnabledFor(logging.INFO)
    monkeypatch.setenv("SPINDLE_LOG", "json")
    open_log(logging.INFO, ENVIRONMENT)
    assert tasks.isEnabledFor(logging.INFO)
    monkeypatch.setenv("SPINDLE_LOG", "xml")
    with pytest.raises(ValueError, match="SPINDLE_LOG"):
        open_log(logging.INFO, ENVIRONMENT)
