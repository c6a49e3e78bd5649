"""Every setting, read once from the environment (and `.env`) when a process starts.

A missing store setting switches its feature off and the PostgreSQL fallback on; it never stops the rest (plan,
safety rule 5). Nothing reads the environment later: `app/wiring.py` hands each component the part that it needs.
"""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Literal
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from psycopg import ProgrammingError
from psycopg.conninfo import conninfo_to_dict
from pydantic import Field, SecretStr, field_validator
from pydantic_settings import BaseSettings, SettingsConfigDict


class Profile(StrEnum):
    """How much the pipeline spends to be fresh: `economy` fits free tiers, `default` is prompt."""

    DEFAULT = "default"
    ECONOMY = "economy"


class Settings(BaseSettings):
    """The environment of one process. Names are the upper-case field names."""

    model_config = SettingsConfigDict(env_file=".env", extra="ignore", frozen=True, env_ignore_empty=True)

    database_url: str = Field(description="PostgreSQL with the truth; any pooler will do in poll mode.")
    database_replication_url: str | None = Field(
        default=None, description="Direct connection for logical decoding; DATABASE_URL when absent."
    )
    analytics_database_url: str | None = Field(
        default=None, description="Database of the time-series tables; DATABASE_URL when absent."
    )
    school_time_zone: str = Field(
        default="Asia/Phnom_Penh",
        description="Whose midnight begins a school day in analytics; another one makes the roll-ups anew.",
    )
    analytics_retention_days: int | None = Field(
        default=None,
        ge=100,
        description="Facts and roll-ups of analytics older than this go; kept for ever when absent.",
    )
    redis_url: str | None = Field(
        default=None, description="Redis or Valkey >= 6.2; without it there are no streams and no feed cache."
    )
    typesense_host: str | None = Field(default=None, description="Typesense host name.")
    typesense_port: int = Field(default=8108, ge=1, le=65535, description="Typesense port.")
    typesense_protocol: Literal["http", "https"] = Field(default="http", description="Typesense protocol.")
    typesense_api_key: SecretStr | None = Field(
        default=None, description="Typesense admin key; without it search answers from PostgreSQL."
    )
    search_client_keys: bool = Field(
        default=False,
        description="Give clients scoped keys (GET /search/key) to search PUBLIC and own-school posts in Typesense.",
    )
    embedding_backend: Literal["local", "huggingface", "none"] = Field(
        default="local", description="Where texts are embedded; `none` switches semantic features off."
    )
    embedding_model: str | None = Field(
        default=None,
        description="Model name or folder; by default the bundled all-MiniLM-L6-v2 weights (384 dimensions).",
    )
    embedding_dimension: int = Field(
        default=384, ge=8, le=4000, description="Length of the model's vectors; must be what the model gives."
    )
    embedding_passage_prefix: str = Field(
        default="",
        description="Put before texts that are looked for; `passage: ` for models of the e5 family.",
    )
    embedding_query_prefix: str = Field(
        default="",
        description="Put before what a person is interested in; `query: ` for models of the e5 family.",
    )
    embedding_precision: Literal["auto", "float32", "bfloat16"] = Field(
        default="auto",
        description="Arithmetic of the local model; `auto` takes bfloat16 where the CPU has it.",
    )
    embedding_threads: int = Field(
        default=2, ge=1, le=64, description="CPU threads of the local model; never more than there are CPUs."
    )
    embedding_share_class_posts: bool = Field(
        default=False, description="Whether texts of CLASS posts may go to an external embedding API."
    )
    huggingface_api_key: SecretStr | None = Field(default=None, description="Key of the Hugging Face API.")
    huggingface_api_url: str = Field(
        default="https://router.huggingface.co/hf-inference/models",
        description="Where the Hugging Face inference API answers; the model's name is added.",
    )
    huggingface_requests_per_minute: int = Field(
        default=60, ge=1, description="Rate of a worker's requests to the Hugging Face API."
    )
    huggingface_requests_per_month: int = Field(
        default=30_000,
        ge=0,
        description="Requests to the Hugging Face API per calendar month (UTC), all workers.",
    )
    jwt_secret: SecretStr | None = Field(
        default=None, description="HS256 secret of the access tokens; without it every request is refused."
    )
    operator_token: SecretStr | None = Field(
        default=None,
        description="Secret for `/console` (password of HTTP Basic) and `/metrics` (bearer token); else SUPER_ADMIN.",
    )
    rate_limit_reads: int = Field(
        default=6000, ge=0, description="Reads per user and minute in one process; 0 = no limit."
    )
    rate_limit_writes: int = Field(
        default=6000,
        ge=0,
        description="Writes per user and minute in one process; 0 = no limit. Posts: always 30, in all processes.",
    )
    rate_limit_failures: int = Field(
        default=600,
        ge=0,
        description="Requests per address and minute that may be refused with 401; 0 = no limit.",
    )
    cors_origins: str = Field(
        default="",
        description="Origins whose pages may call the API from a browser, separated by commas; `*` for all.",
    )
    trusted_proxies: str = Field(
        default="",
        description="Addresses of proxies whose `X-Forwarded-For` is believed, separated by commas; `*` for all.",
    )
    stunity_profile: Profile = Field(default=Profile.DEFAULT, description="`default` or `economy`.")
    stunity_home: Path = Field(
        default=Path(".stunity"), description="Data, ports and logs of the embedded stack."
    )
    stream_prefix: str = Field(
        default="stunity",
        pattern=r"^[A-Za-z0-9_-]{1,40}$",
        description="First part of every Redis key of ours.",
    )
    stream_partitions: int = Field(
        default=1, ge=1, le=1024, description="Partitions of every topic; another number begins a new epoch."
    )
    archive_url: str | None = Field(
        default=None,
        description="Where facts are archived before their day leaves the log: file:///…, s3://…, any fsspec URL.",
    )
    relay_confirm_lag_seconds: float = Field(
        default=5.0,
        ge=0,
        description="How late PostgreSQL is told what Redis has; must exceed what Redis may lose.",
    )
    relay_confirm_lag_bytes: int = Field(
        default=16 << 20,
        ge=0,
        description="The same in bytes of WAL (poll mode: of events); the later of both counts.",
    )
    verify_every_minutes: float = Field(
        default=360,
        ge=0,
        description="How often the worker compares every view with the truth; 0 never. `economy`: a quarter as often.",
    )
    verify_rows_per_second: float = Field(
        default=2000,
        gt=0,
        description="How fast that comparison may read; `stunity verify` itself is not slowed.",
    )
    log_level: str = Field(default="INFO", description="DEBUG, INFO, WARNING or ERROR.")

    @field_validator("database_url", "database_replication_url", "analytics_database_url")
    @classmethod
    def _of_postgresql(cls, url: str | None) -> str | None:
        """What is wrong is said without the URL, which has a password in it."""
        if url is None:
            return None
        if not url.startswith(("postgresql://", "postgres://")):
            raise ValueError("a URL of PostgreSQL begins with postgresql://")
        try:
            conninfo_to_dict(url)
        except ProgrammingError:
            raise ValueError(
                "this is no URL of PostgreSQL: postgresql://user:password@host:port/name"
            ) from None
        return url

    @field_validator("redis_url")
    @classmethod
    def _of_redis(cls, url: str | None) -> str | None:
        if url is not None and not url.startswith(("redis://", "rediss://", "unix://")):
            raise ValueError("a URL of Redis begins with redis://, rediss:// or unix://")
        return url

    @field_validator("school_time_zone")
    @classmethod
    def _known_zone(cls, name: str) -> str:
        try:
            ZoneInfo(name)
        except (ZoneInfoNotFoundError, ValueError, OSError) as error:
            raise ValueError(f"there is no time zone {name!r}") from error
        return name

    @property
    def replication_url(self) -> str:
        """The connection on which logical decoding may run."""
        return self.database_replication_url or self.database_url

    @property
    def analytics_url(self) -> str:
        """The database that holds the time-series tables."""
        return self.analytics_database_url or self.database_url

    @property
    def typesense_enabled(self) -> bool:
        """Whether a search index is configured."""
        return self.typesense_host is not None and self.typesense_api_key is not None
