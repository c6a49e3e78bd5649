"""From ids to what a client sees: people, courses and quizzes, read from the truth under the rules for offering them.

Both the view and the fallback end here, so neither can show what the viewer may not see. Post cards are the engine's.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from consumers.embeddings.queries import CARDS
from consumers.engine.cards import hydrate_posts, timestamp
from runtime.access import Scope
from runtime.postgres import Connection, fetch_dicts

Card = dict[str, Any]


async def people(conn: Connection, scope: Scope, ids: Sequence[str]) -> list[Card]:
    """Cards of those people who may be suggested, in the order of `ids`."""
    return await fetch_dicts(conn, CARDS["people"], {**scope.params(), "ids": list(ids)})


async def courses(conn: Connection, scope: Scope, ids: Sequence[str]) -> list[Card]:
    """Cards of those courses that may be recommended, in the order of `ids`."""
    found = await fetch_dicts(conn, CARDS["courses"], {**scope.params(), "ids": list(ids)})
    for card in found:
        card["createdAt"] = timestamp(card["createdAt"])
    return found


async def quizzes(conn: Connection, scope: Scope, post_ids: Sequence[str]) -> list[Card]:
    """Cards of the quizzes of those posts, each with its post's card; questions and answers are not in them."""
    found = await fetch_dicts(conn, CARDS["quizzes"], {**scope.params(), "ids": list(post_ids)})
    by_post = {card["postId"]: card for card in found}
    posts = await hydrate_posts(conn, scope, [post for post in post_ids if post in by_post])
    return [{**by_post[post["id"]], "post": post} for post in posts]
