"""The whole network: tables in the order of their foreign keys, and small ones as plain dictionaries in memory."""

from __future__ import annotations

from typing import Any

from producers.synthetic.activity import Activity
from producers.synthetic.audience import Audiences
from producers.synthetic.learning import Learning
from producers.synthetic.people import People, Person
from producers.synthetic.people_rows import PeopleRows
from producers.synthetic.posts import Posts
from producers.synthetic.size import Size
from producers.synthetic.social import Social
from producers.synthetic.table import Table


class Network:
    """A school network that nobody has written down yet."""

    def __init__(self, size: Size) -> None:
        self.size = size
        self.people = People(size)
        audiences = Audiences(self.people, size.generator("audiences"))
        self.posts = Posts(self.people, audiences)
        self.activity = Activity(self.people, self.posts, audiences)
        self.social = Social(self.people, audiences)
        self.learning = Learning(self.people, audiences)

    def tables(self) -> list[Table]:
        """Every table, parents before children."""
        return [
            *PeopleRows(self.people).tables(),
            *self.learning.club_tables(),
            *self.posts.tables(self.activity.counters),
            *self.social.tables(),
            *self.learning.tables(),
            *self.activity.tables(),
        ]

    def rows(self, name: str) -> list[dict[str, Any]]:
        """All rows of one table, for small networks."""
        table = next(table for table in self.tables() if table.name == name)
        return [dict(zip(table.columns, row, strict=True)) for row in table.rows()]

    def user_id(self, role: str, school: int | None = None) -> str:
        """The first user with a role, in one school or in any.

        Raises:
            LookupError: nobody has it.
        """
        people: list[Person] = self.people.with_role(role, school=school)
        if not people:
            raise LookupError(f"nobody is {role}")
        return self.people.user_id(people[0].number)


def small(seed: int = 1) -> Network:
    """Three schools, sixty people and fifty posts: enough for every role, type and visibility."""
    return Network(Size(users=60, posts=50, follows=200, views=400, schools=3, seed=seed))
