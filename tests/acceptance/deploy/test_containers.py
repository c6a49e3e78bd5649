"""The container files, checked as far as a machine without Docker can: names, commands, settings, pins, privileges."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import yaml
from typer.main import get_command

from app import views
from app.cli import build
from app.stack import ours
from runtime.settings import Settings

ROOT = Path(__file__).resolve().parents[3]
DEPLOY = ROOT / "deploy"
STORES = {"postgres", "redis", "typesense"}
_TAG = re.compile(r"^[a-z0-9./-]+:(?!latest$)[\w.-]+$")


@pytest.fixture(scope="module")
def compose() -> dict[str, Any]:
    document: dict[str, Any] = yaml.safe_load((DEPLOY / "compose.yaml").read_text())
    return document


@pytest.fixture(scope="module")
def processes(compose: dict[str, Any]) -> dict[str, Any]:
    return {name: service for name, service in compose["services"].items() if name not in STORES}


def test_the_same_processes_as_in_the_embedded_stack(processes: dict[str, Any], tmp_path: Path) -> None:
    everything = {"REDIS_URL": "redis://x", "TYPESENSE_HOST": "x"}
    embedded = {process.name for process in ours.processes(tmp_path, everything, 1)}
    assert set(processes) == embedded | {"migrate"}


def test_every_view_has_its_process() -> None:
    assert ours.CONSUMERS == views.CONSUMERS


def test_every_command_exists(processes: dict[str, Any]) -> None:
    commands = get_command(build()).commands  # type: ignore[attr-defined]  # a group, as `build` makes it
    called = {service["command"][0] for service in processes.values()}
    assert called <= set(commands)


def test_every_variable_is_a_setting(processes: dict[str, Any]) -> None:
    known = {name.upper() for name in Settings.model_fields}
    for service in processes.values():
        assert set(service["environment"]) <= known


def test_every_secret_is_demanded_and_listed_in_the_example(compose: dict[str, Any]) -> None:
    text = (DEPLOY / "compose.yaml").read_text()
    used = set(re.findall(r"\$\{(\w+)", text))
    listed = set(re.findall(r"^(\w+)=", (DEPLOY / "example.env").read_text(), re.MULTILINE))
    assert used == listed
    demanded = set(re.findall(r"\$\{(\w+):\?", text))
    assert demanded == {"POSTGRES_PASSWORD", "REDIS_PASSWORD", "TYPESENSE_API_KEY", "JWT_SECRET"}


def test_images_are_pinned_and_references_resolve(compose: dict[str, Any]) -> None:
    services = compose["services"]
    for name, service in services.items():
        assert _TAG.match(service["image"]), name
        assert set(service.get("depends_on", {})) <= set(services)
        named = {volume.split(":")[0] for volume in service.get("volumes", [])}
        assert named <= set(compose["volumes"])


def test_ours_run_with_no_privileges_and_only_the_api_is_published(compose: dict[str, Any]) -> None:
    published = [port for service in compose["services"].values() for port in service.get("ports", [])]
    assert published == ["127.0.0.1:${API_PORT:-8000}:8000"]
    for name, service in compose["services"].items():
        if name not in STORES:
            assert service["read_only"]
            assert service["cap_drop"] == ["ALL"]


def test_postgres_is_set_up_for_the_pipeline(compose: dict[str, Any]) -> None:
    postgres = compose["services"]["postgres"]
    assert {"wal_level=logical", "shared_preload_libraries=timescaledb,pg_stat_statements"} <= set(
        postgres["command"]
    )
    assert "C.UTF-8" in postgres["environment"]["POSTGRES_INITDB_ARGS"]


def test_the_image_is_made_of_what_is_there() -> None:
    text = (DEPLOY / "Dockerfile").read_text()
    sources = [
        source
        for line in re.findall(r"^COPY (?!--from)(.+)$", text, re.MULTILINE)
        for source in line.split()[:-1]
    ]
    packages = {"app", "consumers", "outbox", "producers", "runtime", "schemas"}
    assert packages <= set(sources)
    assert all((ROOT / source).exists() for source in sources)
    allowed = (ROOT / ".dockerignore").read_text().splitlines()
    assert all(f"!{source}" in allowed for source in sources)
    bases = re.findall(r"^FROM (\S+)", text, re.MULTILINE)
    assert all(_TAG.match(base) for base in bases)
    assert text.index("\nUSER stunity") > text.rindex("\nFROM ")
    assert text.index("\nENTRYPOINT [") > text.index("\nUSER stunity")
