"""The read side of feeds: ranked lists and chronological windows from Redis, and when a kept list is still good.

A ranking is made from one script's answer (`lua/gather.lua`), so that the posts and the versions that the list rests
on belong together. PostgreSQL is asked for a viewer's profile when it has changed, and for semantic scores of posts
that have none yet; never for candidates. Without Redis `fallback.py` makes the same lists; turning ids into cards,
with the visibility rule, is `pages.py`.
"""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Mapping, Sequence
from typing import Final

from consumers.feeds import profile as profiles
from consumers.feeds import session as sessions
from consumers.feeds.cursor import Place, RankedCursor
from consumers.feeds.mapping import decode
from consumers.feeds.pools import Mode, groups, recent_groups, visible
from consumers.feeds.profile import KeptProfile
from consumers.feeds.ranking import Candidate
from consumers.feeds.schema import PIN_SCORE
from consumers.feeds.session import (
    Basis,
    Ranking,
    Session,
    Window,
    basis_of,
    drift_versions,
    near_versions,
    ranked_entries,
)
from consumers.feeds.store import FeedStore, Gathered
from consumers.feeds.truth import ViewerTruth
from runtime.access import Scope
from runtime.postgres import Pool

#: A chronological window reads this much more than is wanted: some will turn out not to be visible.
SPARE: Final = 20


class FeedView:
    """Feeds from Redis."""

    def __init__(self, store: FeedStore, pool: Pool, viewers: ViewerTruth) -> None:
        self._store = store
        self._pool = pool
        self._viewers = viewers

    async def newest(self, mode: Mode, scope: Scope, now_ms: int) -> Ranking:
        """The newest ranked list: the kept one while it is good, else one ranked now.

        Raises:
            Retryable: Redis is away, or has no view.
        """
        viewer = scope.viewer.id
        keys = await self._store.viewer_keys(viewer, mode)
        kept = profiles.decode(keys.profile) if keys.profile else None
        near = near_versions(mode, scope, kept.profile.follows if kept else ())
        own = [f"u:{viewer}", f"i:{viewer}"]
        former, seen = await asyncio.gather(
            self._session(viewer, keys.session),
            self._store.gather([], [*own, *near, *drift_versions(mode, scope)]),
        )
        profile_versions = _own_versions(seen)
        basis = _basis(seen, scope, profile_versions, seen.versions[2:], len(near))
        if kept is not None and former is not None and former.holds(basis, now_ms):
            return Ranking(former, 0, hit=True)
        if kept is None or kept.versions != profile_versions:
            kept = await self._load_profile(viewer, profile_versions)
        carried = former.semantic() if former else {}
        session = await self._rank(mode, scope, kept, now_ms, carried)
        await self._store.keep_session(
            viewer, session.id, sessions.encode(session), newest_of=mode, former=keys.session
        )
        return Ranking(session, 0, hit=False)

    async def resumed(self, scope: Scope, cursor: RankedCursor) -> Ranking:
        """The list that a cursor stands in; ranked again without what was shown when Redis has lost it.

        Raises:
            Retryable: Redis is away, or has no view.
        """
        viewer = scope.viewer.id
        session = await self._session(viewer, cursor.session)
        if session is not None:
            return Ranking(session, cursor.offset, hit=True)
        keys = await self._store.viewer_keys(viewer, cursor.mode)
        kept = profiles.decode(keys.profile) if keys.profile else await self._load_profile(viewer, None)
        session = await self._rank(cursor.mode, scope, kept, cursor.ranked_at_ms, {}, cursor)
        await self._store.keep_session(viewer, session.id, sessions.encode(session))
        return Ranking(session, 0, hit=False)

    async def recent(self, scope: Scope, after: Place | None, most: int) -> Window | None:
        """At least `most` posts in chronological order, or all that follow; None when only PostgreSQL knows them.

        Raises:
            Retryable: Redis is away, or has no view.
        """
        depth = most + SPARE
        highest = "+inf" if after is None else str(after.created_ms + PIN_SCORE * after.pinned)
        wanted = recent_groups(scope, depth, highest)
        pools = [pool for group in wanted for pool in group.pools]
        found = await self._store.gather(wanted, [], pools)
        floor = max(found.floors)
        posts = sorted(decode(found.posts), key=_chronological, reverse=True)
        complete = len(posts) < depth
        shown = [
            Place(post.pinned, post.created_ms, post.id)
            for post in visible(posts[:depth], scope)
            if _score(post) > floor and (after is None or _chronological(post) < _key(after))
        ]
        last = complete and floor == float("-inf")
        return Window(shown, last) if last or len(shown) > most else None

    async def _session(self, viewer: str, session: str | None) -> Session | None:
        text = await self._store.session(viewer, session) if session else None
        return sessions.decode(session, text) if session and text else None

    async def _load_profile(self, viewer: str, versions: tuple[int, int] | None) -> KeptProfile:
        """Read a profile from PostgreSQL; kept with versions that were read before it, never after."""
        if versions is None:
            seen = await self._store.gather([], [f"u:{viewer}", f"i:{viewer}"])
            versions = _own_versions(seen)
        async with self._pool.connection() as conn:
            kept = KeptProfile(await self._viewers.profile(conn, viewer), versions)
        await self._store.keep_profile(viewer, profiles.encode(kept))
        return kept

    async def _rank(
        self,
        mode: Mode,
        scope: Scope,
        kept: KeptProfile,
        at_ms: int,
        carried: Mapping[str, float],
        cursor: RankedCursor | None = None,
    ) -> Session:
        profile = kept.profile
        near = near_versions(mode, scope, profile.follows)
        found = await self._store.gather(
            groups(mode, scope, profile.follows, at_ms), [*near, *drift_versions(mode, scope)]
        )
        candidates = visible(decode(found.posts), scope)
        semantic = {**carried, **await self._semantic(scope, candidates, carried)}
        entries = ranked_entries(candidates, profile, semantic, at_ms, cursor)
        basis = _basis(found, scope, kept.versions, found.versions, len(near))
        return Session(secrets.token_hex(8), at_ms, entries, found.cut, basis)

    async def _semantic(
        self, scope: Scope, candidates: Sequence[Candidate], carried: Mapping[str, float]
    ) -> dict[str, float]:
        missing = [post.id for post in candidates if post.id not in carried]
        async with self._pool.connection() as conn:
            return await self._viewers.semantic(conn, scope.viewer.id, missing)


def _own_versions(seen: Gathered) -> tuple[int, int]:
    """The viewer's own versions, which a profile is kept with. Lives count apart, so the life is a part of them."""
    life = int(seen.incarnation[:8], 16) << 24
    return life + seen.versions[0], life + seen.versions[1]


def _basis(
    seen: Gathered, scope: Scope, profile: tuple[int, int], versions: Sequence[int], near: int
) -> Basis:
    return basis_of(seen.incarnation, scope, profile, versions[:near], versions[near:])


def _chronological(post: Candidate) -> tuple[bool, int, bytes]:
    return post.pinned, post.created_ms, post.id.encode()


def _key(place: Place) -> tuple[bool, int, bytes]:
    return place.pinned, place.created_ms, place.id.encode()


def _score(post: Candidate) -> int:
    return post.created_ms + PIN_SCORE * post.pinned
