"""Failpoints: every listed step is passed somewhere, and one that is named ends the process there and then."""

from __future__ import annotations

import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from outbox.relay import failpoints
from outbox.relay.failpoints import STEPS, Failpoint, from_environment, no_step
from runtime.errors import ConfigurationError

_PASSED = re.compile(r'on_step\(\s*"(\w+)"')


def test_every_step_is_passed_somewhere_and_none_is_unlisted() -> None:
    folder = Path(failpoints.__file__).parent
    passed = {name for file in folder.glob("*.py") for name in _PASSED.findall(file.read_text("utf-8"))}
    assert passed == set(STEPS)


def test_the_named_pass_is_the_last_thing_that_happens() -> None:
    script = (
        "from outbox.relay.failpoints import from_environment\n"
        "step = from_environment()\n"
        "for name in ('after_read', 'after_publish', 'after_publish', 'after_read'):\n"
        "    print(name, flush=True)\n"
        "    step(name)\n"
    )
    ran = subprocess.run(
        [sys.executable, "-c", script],
        env={failpoints.VARIABLE: "after_publish:2"},
        cwd=Path(__file__).parents[3],
        capture_output=True,
        text=True,
        check=False,
    )
    assert ran.stdout.split() == ["after_read", "after_publish", "after_publish"], ran.stderr
    assert ran.returncode == -signal.SIGKILL


def test_unset_costs_an_empty_call(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(failpoints.VARIABLE, raising=False)
    assert from_environment() is no_step


@pytest.mark.parametrize("text", ["nowhere", "after_read:x", ":3"])
def test_a_wrong_name_is_said(text: str) -> None:
    with pytest.raises(ConfigurationError, match="known steps"):
        Failpoint(text)
