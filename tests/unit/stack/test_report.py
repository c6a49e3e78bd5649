"""What `status` and `env` show."""

from __future__ import annotations

import io
import subprocess

from rich.console import Console

from app.stack import report, state
from app.stack.state import PartReport, StackState

READYZ = {"consumers": {"search": {"state": "live", "lagMs": 1234, "deadLetters": 0}}}


def _state() -> StackState:
    parts = [
        PartReport(name="search", state="ready", process=state.myself(), restarts=2, log="s.log"),
        PartReport(name="relay", state="restarting", problem="exit 2: no [slot] " + "x" * 100, log="r.log"),
    ]
    environment = {"STUNITY_HOME": "/home", "JWT_SECRET": "it's secret", "API_URL": "http://127.0.0.1:1"}
    return StackState(supervisor=state.myself(), phase="ready", parts=parts, environment=environment)


def test_the_document_has_no_secrets_and_is_ready_only_when_every_part_is() -> None:
    document = report.document(_state(), READYZ)
    assert "secret" not in str(document)
    assert (document["running"], document["ready"]) == (True, False)
    assert [part["state"] for part in document["parts"]] == ["ready", "restarting"]
    assert report.document(None, None) == {"running": False, "ready": False, "parts": []}


def test_the_table_shows_lag_and_restarts_within_80_columns() -> None:
    out = io.StringIO()
    Console(file=out, width=80).print(report.table(report.document(_state(), READYZ)))
    (line,) = [line for line in out.getvalue().splitlines() if line.lstrip().startswith("search")]
    assert line.split()[-2:] == ["2", "1,234"]
    assert any("no [slot]" in remark for remark in report.remarks(_state()))


def test_exports_survive_the_shell() -> None:
    exports = report.exports(_state().environment)
    script = f'{exports}\nprintf %s "$JWT_SECRET"'
    said = subprocess.run(["sh", "-c", script], capture_output=True, text=True, check=True).stdout
    assert said == "it's secret"


def test_the_headline_says_what_is_not_ready() -> None:
    title = report.table(report.document(_state(), READYZ)).title
    assert title == "Stunity in /home: not ready, relay is restarting"


def test_dead_letters_are_mentioned() -> None:
    assert report.letters(READYZ) == []
    found = {"consumers": {"search": {"deadLetters": 3}, "feeds": {"deadLetters": 0}}}
    assert report.letters(found) == ["dead letters: search 3 (stunity dlq list)"]


def test_a_whole_traceback_is_cut() -> None:
    stuck = _state()
    stuck.parts[1].problem = "x" * 5000
    assert len(report.remarks(stuck)[0]) < 400
