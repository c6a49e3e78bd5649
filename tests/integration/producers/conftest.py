"""The write half of the HTTP contract on a real database, and a handful of people in two schools."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from typing import Any

import httpx
import psycopg
import pytest
from fastapi import FastAPI
from pydantic import SecretStr

from app.stack.postgres import Postgres
from producers import api
from runtime import auth
from runtime.http import RequestLimits, install_error_handlers
from runtime.postgres import open_pool
from runtime.settings import Settings
from tests.support.servers import Running, fresh_database

SECRET = "only-for-tests-only-for-tests-only-for-tests"

_PEOPLE = """
INSERT INTO schools (id, name, slug, email, "updatedAt") VALUES
    ('north', 'North High', 'north', 'north@school.example', now()),
    ('south', 'South High', 'south', 's@school.example', now());
INSERT INTO classes (id, "schoolId", name, grade, "academicYearId", "updatedAt") VALUES
    ('10a', 'north', 'Grade 10A', '10', '2026', now());
INSERT INTO students (id, "schoolId", "classId", "firstName", "lastName", "updatedAt") VALUES
    ('s-dara', 'north', '10a', 'ដារ៉ា', 'សុខ', now());
INSERT INTO teachers (id, "schoolId", "homeroomClassId", "firstName", "lastName", "updatedAt") VALUES
    ('t-sophea', 'north', '10a', 'សុភា', 'ចាន់', now());
INSERT INTO users (id, "schoolId", email, password, "firstName", "lastName", role, "studentId", "teacherId",
                   "updatedAt") VALUES
    ('sophea', 'north', 'sophea@school.example', '!', 'សុភា', 'ចាន់', 'TEACHER', NULL, 't-sophea', now()),
    ('dara', 'north', 'dara@school.example', '!', 'ដារ៉ា', 'សុខ', 'STUDENT', 's-dara', NULL, now()),
    ('bopha', 'north', 'bopha@school.example', '!', 'បុប្ផា', 'គឹម', 'STUDENT', NULL, NULL, now()),
    ('vibol', 'south', 'vibol@school.example', '!', 'វិបុល', 'លី', 'STUDENT', NULL, NULL, now());
"""


@dataclass(frozen=True)
class School:
    """Requests in somebody's name, and a look into the tables."""

    client: httpx.AsyncClient
    db: psycopg.Connection[Any]

    async def call(self, who: str, method: str, path: str, json: Any = None, **kwargs: Any) -> httpx.Response:
        token = auth.issue(SECRET, user=who, role="STUDENT", school_id=None)
        headers = {"Authorization": f"Bearer {token}", **kwargs.pop("headers", {})}
        body = {} if json is None else {"json": json}
        return await self.client.request(method, path, headers=headers, **body, **kwargs)

    async def post(self, who: str, **fields: Any) -> str:
        """Write a post; returns its id."""
        answer = await self.call(who, "POST", "/posts", {"content": "ប្រូតេអ៊ីន and enzymes", **fields})
        assert answer.status_code == 201, answer.text
        return str(answer.json()["data"]["id"])

    def one(self, query: str, *params: Any) -> Any:
        """The only value of a query."""
        row = self.db.execute(query, params).fetchone()
        return None if row is None else row[0]


@pytest.fixture(scope="module")
def module_database(postgres_server: Running[Postgres], _template_database: str) -> Iterator[str]:
    """One migrated database for a whole file: emptying it is ten times quicker than copying it."""
    with fresh_database(postgres_server.server, _template_database) as url:
        yield url


@pytest.fixture
def people(module_database: str) -> Iterator[psycopg.Connection[Any]]:
    """A connection to a database with two schools and four people, and nothing else."""
    with psycopg.connect(module_database, autocommit=True) as conn:
        conn.execute("DELETE FROM courses")
        conn.execute("DELETE FROM schools")
        conn.execute("DELETE FROM users")
        conn.execute(_PEOPLE)
        yield conn


@pytest.fixture
async def school(module_database: str, people: psycopg.Connection[Any]) -> AsyncIterator[School]:
    """The write API for these people."""
    app = FastAPI()
    app.include_router(api.router)
    app.add_middleware(RequestLimits)
    install_error_handlers(app)
    app.state.settings = Settings(_env_file=None, database_url=module_database, jwt_secret=SecretStr(SECRET))
    async with open_pool(module_database) as pool:
        app.state.pool = pool
        transport = httpx.ASGITransport(app, raise_app_exceptions=False)
        async with httpx.AsyncClient(transport=transport, base_url="http://api") as client:
            yield School(client, people)
