"""Which servers are embedded, which come from outside, and the settings that follow."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from app.stack import binaries, ours
from app.stack.home import Home
from app.stack.plan import Options, Plan, StackSettings, make

Make = Callable[..., Plan]


@pytest.fixture
def plan(tmp_path: Path) -> Make:
    def make_plan(options: Options | None = None, **environment: object) -> Plan:
        settings = StackSettings(_env_file=None, stunity_home=tmp_path, **environment)  # type: ignore[arg-type]
        return make(Home(tmp_path), settings, options or Options())

    return make_plan


def test_everything_is_embedded_by_default(plan: Make) -> None:
    made = plan()
    assert made.external == []
    assert set(made.embedded_ports()) == {"postgres", "valkey", "typesense", "typesense_peering"}
    assert {"DATABASE_URL", "REDIS_URL", "TYPESENSE_API_KEY", "JWT_SECRET", "API_URL", "CONSOLE_URL"} <= set(
        made.environment
    )


def test_ports_and_secrets_stay_the_same(plan: Make) -> None:
    assert plan().environment == plan().environment


def test_each_external_server_replaces_the_embedded_one(plan: Make) -> None:
    made = plan(
        database_url="postgresql://db.example/app",
        redis_url="redis://cache.example:6379/0",
        typesense_host="search.example",
        typesense_api_key="key",
        jwt_secret="theirs",
    )
    assert made.external == ["postgres", "redis", "typesense"]
    assert made.embedded_ports() == {}
    assert made.environment["DATABASE_URL"] == "postgresql://db.example/app"
    assert made.environment["TYPESENSE_PORT"] == "8108"
    assert made.environment["JWT_SECRET"] == "theirs"


def test_settings_of_the_stack_itself_are_not_external(plan: Make) -> None:
    own = {name.lower(): value for name, value in plan().environment.items()}
    again = {name: own[name] for name in ("database_url", "redis_url", "typesense_host", "typesense_port")}
    assert plan(**again, typesense_api_key=own["typesense_api_key"]).external == []


def test_what_is_switched_off_is_left_out_and_told(plan: Make) -> None:
    made = plan(Options(typesense=False, valkey=False))
    assert set(made.embedded_ports()) == {"postgres"}
    assert "REDIS_URL" not in made.environment
    assert "TYPESENSE_HOST" not in made.environment
    assert len(made.notes) == 2


def test_without_a_typesense_wheel_the_rest_runs(plan: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(binaries, "find_spec", lambda name: None)
    made = plan()
    assert set(made.embedded_ports()) == {"postgres", "valkey"}
    assert "search answers from PostgreSQL" in made.notes[0]


def test_processes_follow_the_stores(plan: Make, tmp_path: Path) -> None:
    def names(made: Plan) -> list[str]:
        return [process.name for process in ours.processes(tmp_path, made.environment, made.api_port)]

    consumers = ["search", "embeddings", "feeds", "analytics"]
    assert names(plan()) == ["relay", *consumers, "worker", "scheduler", "api"]
    assert names(plan(Options(typesense=False))) == ["relay", *consumers[1:], "worker", "scheduler", "api"]
    assert names(plan(Options(valkey=False))) == ["worker", "scheduler", "api"]
    assert "embeddings" not in names(plan(embedding_backend="none"))
