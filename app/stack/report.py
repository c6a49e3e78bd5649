"""How the stack looks on a terminal and as JSON: the progress of `up`, the table of `status`, the exports of `env`."""

from __future__ import annotations

import os
import shlex
import time
from datetime import UTC, datetime
from typing import Any

from rich import box
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from app.stack.state import PartReport, StackState

_COLOURS = {
    "ready": "green",
    "starting": "yellow",
    "waiting": "yellow",
    "restarting": "red",
    "stopped": "red",
}
_PROBLEM_CHARS = 300


class Progress:
    """Prints each part once when it becomes ready, and each problem once when it appears."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._said: set[str] = set()
        self._began = time.monotonic()

    def __call__(self, found: StackState) -> None:
        """Say what is new."""
        for note in found.notes:
            self._say(f"[yellow]note[/] {note}")
        for name in found.external:
            self._say(f"{name}: external, from the environment")
        if found.phase == "starting" and found.message:
            self._say(f"[bold]{found.message}[/]")
        for part in found.parts:
            if part.state == "ready":
                port = f" on port {part.port}" if part.port else ""
                self._say(f"  {part.name} is ready{port}", seconds=True)
            elif part.state == "restarting":
                self._say(f"  [red]{part.name}[/] {escape(part.problem or '')}")

    def _say(self, text: str, *, seconds: bool = False) -> None:
        if text in self._said:
            return
        self._said.add(text)
        suffix = f" ({time.monotonic() - self._began:.1f} s)" if seconds else ""
        self._console.print(text + suffix, highlight=False, soft_wrap=True)


def addresses(console: Console, found: StackState) -> None:
    """Where to go once everything runs."""
    environment = found.environment
    if any(part.name == "api" for part in found.parts):
        console.print(
            f"API      {environment['API_URL']}  (reference: {environment['API_URL']}/openapi.json)",
            highlight=False,
            soft_wrap=True,
        )
        console.print(
            f"console  {environment['CONSOLE_URL']}  (any user, password OPERATOR_TOKEN of `stunity env`)",
            highlight=False,
            soft_wrap=True,
        )
    home = os.environ.get("STUNITY_HOME")
    elsewhere = f"export STUNITY_HOME={shlex.quote(home)}; " if home else ""
    console.print(f'settings {elsewhere}eval "$(stunity env)"', highlight=False, soft_wrap=True)


def document(found: StackState | None, readiness: dict[str, Any] | None) -> dict[str, Any]:
    """The status as one JSON document, without secrets."""
    if found is None:
        return {"running": False, "ready": False, "parts": []}
    lives = found.running()
    parts = [_part(part) for part in found.parts]
    urls = {name: found.environment.get(name) for name in ("API_URL", "CONSOLE_URL")}
    return {
        "running": lives,
        "ready": lives and found.phase == "ready" and all(part["state"] == "ready" for part in parts),
        "phase": found.phase if lives else "stopped",
        "supervisor": found.supervisor.pid if lives else None,
        "home": found.environment.get("STUNITY_HOME"),
        **urls,
        "external": found.external,
        "notes": found.notes,
        "message": found.message,
        "parts": parts,
        "readiness": readiness,
    }


def _part(part: PartReport) -> dict[str, Any]:
    process = part.process.find() if part.process else None
    return {
        "name": part.name,
        "state": part.state if process else ("restarting" if part.state == "restarting" else "stopped"),
        "pid": process.pid if process else None,
        "port": part.port,
        "uptime_s": round(time.time() - part.process.started) if process and part.process else None,
        "memory_mib": process.memory_info().rss >> 20 if process else None,
        "restarts": part.restarts,
        "problem": part.problem,
        "log": part.log,
    }


def table(status: dict[str, Any]) -> Table:
    """The status for people, within 80 columns."""
    title = f"Stunity in {status['home']}: {_headline(status)}"
    grid = Table(title=title, title_justify="left", box=box.SIMPLE, padding=(0, 1, 0, 0))
    for column in _COLUMNS:
        grid.add_column(column, justify="right" if column in _NUMBERS else "left", no_wrap=True)
    for part in status["parts"]:
        grid.add_row(*_cells(part, status["readiness"]))
    return grid


def _headline(status: dict[str, Any]) -> str:
    late = [f"{part['name']} is {part['state']}" for part in status["parts"] if part["state"] != "ready"]
    return f"not ready, {', '.join(late)}" if late and status["phase"] == "ready" else str(status["phase"])


def _consumers(readiness: dict[str, Any] | None) -> dict[str, Any]:
    """What `/readyz` says of each; nothing when it says nothing."""
    found = (readiness or {}).get("consumers")
    return found if isinstance(found, dict) else {}


def letters(readiness: dict[str, Any] | None) -> list[str]:
    """How many dead letters wait for somebody."""
    found = _consumers(readiness).items()
    open_ones = [f"{view} {one['deadLetters']:,}" for view, one in found if one.get("deadLetters")]
    return [f"dead letters: {', '.join(open_ones)} (stunity dlq list)"] if open_ones else []


def verifications(readiness: dict[str, Any] | None) -> list[str]:
    """What the last comparison of each view with the truth has found, a line each."""
    lines = []
    for view, entry in _consumers(readiness).items():
        if last := entry.get("verified"):
            lines.append(f"verified {view}: {_verdict(last)}, {_duration(last['secondsAgo'])} ago")
    return lines


def _verdict(last: dict[str, Any]) -> str:
    match last["verdict"]:
        case "failed":
            return "failed, see the worker's log"
        case "equal":
            return f"equal of {last['compared']}"
        case verdict:
            differ = last["missing"] + last["extra"] + last["stale"]
            return f"{verdict}, {differ} keys of {last['compared']}"


def upkeep(readiness: dict[str, Any] | None) -> list[str]:
    """When each chore of the scheduler last ran and how it ended; days of the log that are held; open jobs."""
    found = (readiness or {}).get("upkeep") or {}
    now, lines = datetime.now(UTC), []
    runs = [
        f"{name} {_duration(round((now - datetime.fromisoformat(one['lastRun'])).total_seconds()))} ago"
        + ("" if one["ok"] else " FAILED")
        for name, one in found.get("chores", {}).items()
        if one["lastRun"]
    ]
    if runs:
        lines.append(f"scheduler: {', '.join(runs)}")
    for what, days in found.get("log", {}).items():
        lines += [f"log: {one['day']} {what}, {', '.join(one['neededBy'])} needs it" for one in days]
    for job in found.get("jobs", []):
        name = f"{job['kind']} {job['id']} of {job['consumer']}"
        lines.append(f"{name}: {job['state']}, {job['done']:,} of {job['total']:,}")
    return lines


def remarks(found: StackState) -> list[str]:
    """What the table has no room for."""
    problems = [f"{part.name}: {_cut(part.problem)} ({part.log})" for part in found.parts if part.problem]
    failure = [found.message] if found.phase == "failed" else []
    return [*found.notes, *problems, *failure]


def _cut(problem: str) -> str:
    """A line of a log may hold a whole traceback."""
    return problem if len(problem) <= _PROBLEM_CHARS else f"{problem[:_PROBLEM_CHARS]}…"


def rebuilds(readiness: dict[str, Any] | None) -> list[str]:
    """A line for each view that is being built anew or whose old one is kept."""
    found = (readiness or {}).get("rebuilds", [])
    return [_rebuild(one) for one in found if one["state"] not in ("dropping", "dropped")]


def _rebuild(one: dict[str, Any]) -> str:
    what = f"rebuild {one['rebuild']} of {one['view']}"
    if one["state"] == "kept":
        until = datetime.fromisoformat(one["keptUntil"]).astimezone(UTC)
        stands, other = ("rolled back", "new") if one["rolledBack"] else ("done", "old")
        again = f"stunity rollback {one['view']}"
        return (
            f"{what}: {stands}; the {other} view is kept in sync until {until:%Y-%m-%d %H:%M} UTC ({again})"
        )
    left = f", about {one['secondsLeft']} s left" if one["secondsLeft"] else ""
    idle = "" if one["running"] else "; interrupted: run it again to go on"
    return f"{what}: {one['step']}, {one['rows']:,} of {one['ofRows']:,} rows{left}{idle}"


_COLUMNS = ("part", "state", "pid", "port", "up", "MiB", "restarts", "lag ms")
_NUMBERS = _COLUMNS[2:]


def _cells(part: dict[str, Any], readiness: dict[str, Any] | None) -> list[str]:
    state = f"[{_COLOURS.get(part['state'], 'white')}]{part['state']}[/]"
    lag = consumer_lag(readiness, part["name"])
    values = [
        part["pid"],
        part["port"],
        _duration(part["uptime_s"]),
        part["memory_mib"],
        part["restarts"],
        None if lag is None else f"{lag:,.0f}",
    ]
    return [part["name"], state, *("" if value is None else str(value) for value in values)]


def consumer_lag(readiness: dict[str, Any] | None, part: str) -> float | None:
    """The lag of the consumer that `part` runs, if the API tells it."""
    entry = _consumers(readiness).get(part)
    lag = entry.get("lagMs") if isinstance(entry, dict) else None
    return float(lag) if isinstance(lag, int | float) else None


def _duration(seconds: int | None) -> str | None:
    if seconds is None:
        return None
    hours, rest = divmod(seconds, 3600)
    return f"{hours}:{rest // 60:02}:{rest % 60:02}"


def exports(environment: dict[str, str]) -> str:
    """Shell exports."""
    return "\n".join(f"export {name}={shlex.quote(value)}" for name, value in sorted(environment.items()))
