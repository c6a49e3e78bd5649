"""The only file that talks to Redis for feeds: two scripts for the view, plain commands for one viewer's keys.

Redis's errors leave as `Retryable`. What the keys mean is `schema.py`; what is written is decided by
`projection.py`, what is asked by `view.py`.
"""

from __future__ import annotations

import secrets
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Final, cast

import orjson

from consumers.engine.projection import StaleOwner, StoreForgot
from consumers.feeds import schema
from consumers.feeds.calls import awaited, translated
from consumers.feeds.lives import drop_life
from consumers.feeds.mapping import PostState
from consumers.feeds.pools import Group
from runtime.errors import Retryable
from runtime.redis import Client

_LUA: Final = Path(__file__).parent / "lua"
#: A script with so many posts takes Redis some ten milliseconds.
_POSTS_PER_SCRIPT: Final = 100
_CAPS: Final = {
    "public": schema.PUBLIC_CAP,
    "school": schema.SCHOOL_CAP,
    "author": schema.AUTHOR_CAP,
    "hot": schema.HOT_CAP,
}


@dataclass(frozen=True, slots=True)
class Changes:
    """What a batch makes of the view."""

    posts: Sequence[PostState] = ()
    gone: Sequence[str] = ()
    moved: Sequence[str] = ()


@dataclass(frozen=True, slots=True)
class Gathered:
    """What the view held at one moment."""

    incarnation: bytes
    versions: tuple[int, ...]
    posts: Sequence[bytes]
    cut: bool
    floors: tuple[float, ...]


@dataclass(frozen=True, slots=True)
class ViewerKeys:
    """What Redis keeps for one viewer and mode: the profile, and the id of the newest session."""

    profile: bytes | None
    session: str | None


class FeedStore:
    """Feeds in one Redis."""

    def __init__(self, client: Client, prefix: str, number: int | None = None) -> None:
        """`number`: of a shadow, a life of the view beside the one that serves."""
        self._client = client
        self._prefix = prefix
        self._root = schema.root(prefix)
        self._meta = schema.meta(prefix, number)
        owner = _lua("owner")
        self._apply = client.register_script(owner + _lua("apply"))
        self._renew = client.register_script(owner + _lua("renew"))
        self._gather = client.register_script(_lua("gather"))
        self._incarnation: bytes | None = None

    async def prepare(self) -> None:
        """Find the view, or begin a new, empty one.

        Raises:
            Retryable: Redis is away.
        """
        with translated():
            await awaited(self._client.hsetnx(self._meta, "incarnation", secrets.token_hex(8)))
            self._incarnation = await awaited(self._client.hget(self._meta, "incarnation"))

    async def read_checkpoint(self) -> str | None:
        """The checkpoint beside the view; None when it is empty or not the one that was prepared.

        Raises:
            Retryable: Redis is away.
        """
        with translated():
            found = await awaited(self._client.hmget(self._meta, ["incarnation", "checkpoint"]))
        incarnation, checkpoint = found
        return checkpoint.decode() if checkpoint and incarnation == self._incarnation else None

    async def clear(self, generation: int) -> None:
        """Begin another life, empty, with the checkpoint of this one; then remove this one's keys.

        Raises:
            Retryable, StoreForgot, StaleOwner: as `apply`.
        """
        former = schema.former(self._meta)
        await drop_life(self._client, self._root, former)  # of an attempt that was killed
        with translated():
            answer = await self._renew(
                keys=[self._meta, former], args=[self._incarnation or b"", secrets.token_hex(8), generation]
            )
        _check(answer, generation)
        await self.prepare()
        await drop_life(self._client, self._root, former)

    async def apply(
        self, changes: Changes, checkpoint: str, generation: int, *, expects: str | None = None
    ) -> None:
        """Write a batch, and with its last part the checkpoint.

        A script keeps everybody else waiting, so a large batch goes out in parts; each checks the generation.

        Raises:
            Retryable: Redis is away.
            StoreForgot: Redis has lost the view since `prepare`, or does not hold the checkpoint that is expected.
            StaleOwner: a newer generation has written.
        """
        *parts, last = _parts(changes)
        known = [expects or "", checkpoint]
        for part in parts:
            await self._run(part, "", generation, known)
        await self._run(last, checkpoint, generation, known)

    async def _run(self, changes: Changes, checkpoint: str, generation: int, known: Sequence[str]) -> None:
        text = orjson.dumps(
            {
                "posts": [(post.id, post.static, post.counts) for post in changes.posts],
                "gone": changes.gone,
                "moved": changes.moved,
                "caps": _CAPS,
                "pin": schema.PIN_SCORE,
            }
        )
        with translated():
            answer = await self._apply(
                keys=[self._meta],
                args=[self._root, self._incarnation or b"", generation, checkpoint, text, *known],
            )
        _check(answer, generation)

    async def gather(
        self, groups: Iterable[Group], versions: Sequence[str], floors: Sequence[str] = ()
    ) -> Gathered:
        """Read pools, their posts, versions and floors at one moment.

        Raises:
            Retryable: Redis is away, or has no view.
        """
        question = {
            "versions": versions,
            "groups": [asdict(group) for group in groups],
            "floors": floors,
        }
        with translated():
            answer = await self._gather(keys=[self._meta], args=[self._root, orjson.dumps(question)])
        if not answer:
            raise Retryable("feeds: Redis has no view")
        incarnation, counters, posts, cut, dropped = answer
        return Gathered(
            incarnation,
            tuple(int(counter or 0) for counter in counters),
            posts,
            bool(cut),
            tuple(float(score or "-inf") for score in dropped),
        )

    async def viewer_keys(self, viewer: str, mode: str) -> ViewerKeys:
        """The viewer's profile and newest session."""
        root = schema.viewer_root(self._prefix, viewer)
        with translated():
            found = await self._client.mget(f"{root}profile", f"{root}now:{mode}")
        profile, session = cast(list[bytes | None], found)
        return ViewerKeys(profile, session.decode() if session else None)

    async def session(self, viewer: str, session: str) -> bytes | None:
        """A ranked list, while it is kept."""
        key = f"{schema.viewer_root(self._prefix, viewer)}session:{session}"
        with translated():
            return cast(bytes | None, await self._client.get(key))

    async def keep_session(
        self,
        viewer: str,
        session: str,
        text: bytes,
        *,
        newest_of: str | None = None,
        former: str | None = None,
    ) -> None:
        """Keep a ranked list; as the newest of a mode it takes the place of a former one, which soon goes."""
        root = schema.viewer_root(self._prefix, viewer)
        with translated():
            async with self._client.pipeline(transaction=True) as pipe:
                pipe.set(f"{root}session:{session}", text, ex=schema.SESSION_TTL)
                if newest_of:
                    pipe.set(f"{root}now:{newest_of}", session, ex=schema.SESSION_TTL)
                if former:
                    pipe.expire(f"{root}session:{former}", schema.FORMER_TTL)
                await pipe.execute()

    async def keep_profile(self, viewer: str, text: bytes) -> None:
        """Keep a profile."""
        key = f"{schema.viewer_root(self._prefix, viewer)}profile"
        with translated():
            await self._client.set(key, text, ex=schema.PROFILE_TTL)


def _lua(name: str) -> str:
    return (_LUA / f"{name}.lua").read_text(encoding="utf-8")


def _check(answer: bytes, generation: int) -> None:
    """What a writing script says."""
    if answer == b"STALE":
        raise StaleOwner(f"feeds: generation {generation} is not the newest")
    if answer != b"OK":
        raise StoreForgot("feeds: Redis has lost the view")


def _parts(changes: Changes) -> list[Changes]:
    """The changes in the sizes of one script; viewers' versions move last, when the posts are there."""
    starts = range(0, max(len(changes.posts), 1), _POSTS_PER_SCRIPT)
    parts = [Changes(changes.posts[start : start + _POSTS_PER_SCRIPT]) for start in starts]
    return [*parts[:-1], Changes(parts[-1].posts, changes.gone, changes.moved)]
