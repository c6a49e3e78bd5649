"""The state machine that keeps one part running, on real child processes and a clock of the test's own."""

from __future__ import annotations

import signal
from dataclasses import dataclass
from pathlib import Path

import pytest

from app.stack.part import HEALTHY_AFTER, LONGEST_DELAY, Part, delay
from app.stack.process import Command
from runtime.errors import ConfigurationError
from tests.support.wait import until


@dataclass
class Script:
    """A shell command as a part."""

    log: Path
    script: str
    trouble: str | None = None
    name: str = "script"

    def prepare(self) -> None:
        if self.script == "no wheel":
            raise ConfigurationError("the wheel is missing")

    def command(self) -> Command:
        return Command(["sh", "-c", self.script], grace=0.3)

    def problem(self) -> str | None:
        return self.trouble


def test_the_delay_grows_to_a_limit() -> None:
    delays = [delay(failures) for failures in range(1, 20)]
    assert delays[:3] == [0.2, 0.4, 0.8]
    assert delays == sorted(delays)
    assert delays[-1] == LONGEST_DELAY


async def test_starts_becomes_ready_and_is_started_again(tmp_path: Path) -> None:
    server = Script(tmp_path / "log", "exec sleep 60", trouble="not yet")
    part = Part(server)
    assert part.tick(0.0)
    part.tick(1.0)
    assert (part.report().state, part.problem) == ("starting", "not yet")
    server.trouble = None
    part.tick(2.0)
    assert part.report().state == "ready"

    process = part.report().process
    assert process is not None
    found = process.find()
    assert found is not None
    found.send_signal(signal.SIGKILL)
    await until(lambda: part.tick(3.0) and part.state == "restarting", what="the end is noticed")
    assert part.problem == "killed by SIGKILL"
    assert not part.tick(3.1), "it waits"
    part.tick(3.3)
    assert part.report().state == "starting"
    part.tick(4.0)
    assert part.restarts == part.failures == 1
    part.tick(4.0 + HEALTHY_AFTER)
    assert (part.restarts, part.failures) == (1, 0)
    part.signal_stop()
    part.stop(lambda: False)
    assert part.report().state == "stopped"


async def test_the_end_of_its_log_tells_why_it_ended(tmp_path: Path) -> None:
    part = Part(Script(tmp_path / "log", "echo first; echo out of memory; echo; exit 3"))
    part.tick(0.0)
    await until(lambda: part.tick(0.0) and part.failures == 1, what="the end is noticed")
    assert part.problem == "exit 3: out of memory"


def test_what_will_still_be_missing_in_a_second_is_told_at_once(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="wheel"):
        Part(Script(tmp_path / "log", "no wheel")).tick(0.0)


def test_it_settles_before_it_is_ready(tmp_path: Path) -> None:
    part = Part(Script(tmp_path / "log", "exec sleep 60"), settle=2.0)
    part.tick(0.0)
    part.tick(1.0)
    assert part.report().state == "starting"
    part.tick(2.5)
    assert part.report().state == "ready"
    part.signal_stop()
    part.stop(lambda: True)


def test_one_that_ignores_the_signal_is_killed_after_its_grace(tmp_path: Path) -> None:
    part = Part(Script(tmp_path / "log", "trap '' TERM; while :; do sleep 0.05; done"))
    part.tick(0.0)
    process = part.report().process
    assert process is not None
    part.signal_stop()
    part.stop(lambda: False)
    assert process.find() is None
