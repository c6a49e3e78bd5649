"""Rows of a small school network, written as plain SQL the way upstream's own code would, with sensible defaults."""

from __future__ import annotations

from datetime import UTC, datetime
from itertools import count
from typing import Any

import psycopg
from psycopg import sql
from psycopg.types.json import Jsonb

_numbers = count(1)


class Network:
    """Writes and changes rows of the truth; every method commits."""

    def __init__(self, conn: psycopg.Connection[Any]) -> None:
        self.conn = conn

    def school(self, key: str) -> str:
        return self._insert(
            "schools", id=key, name=key, slug=key, email=f"{key}@school.example", updatedAt=_now()
        )

    def user(self, key: str, school: str | None = None, **columns: Any) -> str:
        names = {
            "firstName": "Sokha",
            "lastName": key.title(),
            "email": f"{key}@mail.example",
            "phone": f"+855{key}",
        }
        row = {
            **names,
            "id": key,
            "schoolId": school,
            "password": "secret-hash",
            "role": "STUDENT",
            **columns,
        }
        return self._insert("users", updatedAt=_now(), **row)

    def post(self, author: str, content: str = "", school: str | None = None, **columns: Any) -> str:
        row = {"id": f"p{next(_numbers)}", "visibility": "PUBLIC", "createdAt": _now(), **columns}
        return self._insert(
            "posts", authorId=author, content=content, schoolId=school, updatedAt=_now(), **row
        )

    def club(self, creator: str, name: str, school: str | None = None, **columns: Any) -> str:
        row = {"id": f"c{next(_numbers)}", "createdAt": _now(), **columns}
        return self._insert(
            "study_clubs", creatorId=creator, name=name, schoolId=school, updatedAt=_now(), **row
        )

    def member(self, club: str, user: str, *, active: bool = True) -> str:
        key = f"m{next(_numbers)}"
        return self._insert("club_members", id=key, clubId=club, userId=user, isActive=active)

    def course(self, instructor: str, title: str, **columns: Any) -> str:
        row = {
            "id": f"k{next(_numbers)}",
            "description": "",
            "category": "Science",
            "isPublished": True,
            **columns,
        }
        return self._insert("courses", instructorId=instructor, title=title, updatedAt=_now(), **row)

    def block(self, blocker: str, blocked: str) -> str:
        return self._insert("user_blocks", id=f"b{next(_numbers)}", blockerId=blocker, blockedId=blocked)

    def school_class(self, school: str, *students: str) -> str:
        """A class with these users as its students."""
        key = f"class{next(_numbers)}"
        self._insert(
            "classes", id=key, schoolId=school, name="10A", grade="10", academicYearId="y1", updatedAt=_now()
        )
        for user in students:
            self._insert(
                "students",
                id=f"st-{user}",
                schoolId=school,
                classId=key,
                firstName="a",
                lastName="b",
                updatedAt=_now(),
            )
            self.change("users", user, studentId=f"st-{user}")
        return key

    def class_teacher(self, key: str, school: str, user: str) -> None:
        """Make a user the teacher of a class."""
        self._insert(
            "teachers", id=f"te-{user}", schoolId=school, firstName="a", lastName="b", updatedAt=_now()
        )
        self._insert("teacher_classes", id=f"tc-{user}", teacherId=f"te-{user}", classId=key)
        self.change("users", user, teacherId=f"te-{user}")

    def change(self, table: str, key: str, **columns: Any) -> None:
        assignments = sql.SQL(", ").join(
            sql.SQL("{} = {}").format(sql.Identifier(name), sql.Placeholder(name)) for name in columns
        )
        statement = sql.SQL("UPDATE {} SET {} WHERE id = %(key)s").format(sql.Identifier(table), assignments)
        self.conn.execute(statement, {**columns, "key": key})

    def delete(self, table: str, key: str) -> None:
        self.conn.execute(sql.SQL("DELETE FROM {} WHERE id = %s").format(sql.Identifier(table)), (key,))

    def _insert(self, table: str, **columns: Any) -> str:
        values = [Jsonb(value) if isinstance(value, dict) else value for value in columns.values()]
        statement = sql.SQL("INSERT INTO {} ({}) VALUES ({})").format(
            sql.Identifier(table),
            sql.SQL(", ").join(map(sql.Identifier, columns)),
            sql.SQL(", ").join(sql.Placeholder() for _ in columns),
        )
        self.conn.execute(statement, values)
        return str(columns["id"])


def _now() -> datetime:
    return datetime.now(UTC).replace(tzinfo=None)
