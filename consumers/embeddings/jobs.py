"""What the worker does for vectors: embed the texts that wait, build the interests that are due, prune the cache.

A job looks at its queue until it is empty, so a message is only a hint that there is something; several at once become
one. Taking and saving is SQL (`queue.py`, `people.py`), the model is `local.py` or `huggingface.py`.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from time import monotonic
from typing import Final

import structlog

from consumers.embeddings.backend import Backend, Postponed
from consumers.embeddings.people import InterestQueue
from consumers.embeddings.queue import Text, TextQueue
from consumers.embeddings.schema import Embedding
from runtime.errors import ConfigurationError, Permanent, Retryable

log = structlog.get_logger(__name__)

#: Seconds after which the texts of a worker that died are due again.
LEASE: Final = 6.0
PEOPLE_PER_TRANSACTION: Final = 50
#: A backend that is away is asked again after 1, 2, 4 … seconds.
MAX_BACKOFF: Final = 300.0
#: What only somebody can mend is not worth asking for more often.
MEND_SECONDS: Final = 60.0


class OneAtATime:
    """Runs a coroutine function so that a call during a run makes that run look once more, and returns at once."""

    def __init__(self, run: Callable[[], Awaitable[None]]) -> None:
        self._run = run
        self._running = False
        self._again = False

    async def __call__(self) -> None:
        """Run, or have the run that is going on look again."""
        self._again = True
        if self._running:
            return
        self._running = True
        try:
            while self._again:
                self._again = False
                await self._run()
        finally:
            self._running = False


class EmbedJob:
    """Embeds waiting texts in batches until none is due."""

    def __init__(self, queue: TextQueue, backend: Backend, stop: asyncio.Event) -> None:
        self._queue = queue
        self._backend = backend
        self._stop = stop

    async def run(self) -> None:
        """Work until the queue is empty, the backend wants a pause, or the process is to stop.

        Raises:
            Retryable: PostgreSQL is away.
        """
        if not await self._queue.ready():
            return
        while not self._stop.is_set():
            texts = await self._queue.take(self._backend.batch, LEASE)
            if not texts or not await self._embed(texts):
                break
        await self._queue.serve_when_complete()
        await self._queue.come_back()

    async def _embed(self, texts: Sequence[Text]) -> bool:
        """Embed and save a batch; False when the backend should be left alone for now."""
        started = monotonic()
        new = [text for text in texts if not text.cached]
        try:
            embedded = await self._ask(new)
        except (Retryable, ConfigurationError) as error:
            await self._postpone(new, error)
            await self._queue.save({}, [text.digest for text in texts if text.cached])
            return False
        things = await self._queue.save(embedded, [text.digest for text in texts if text.cached])
        log.info(
            "texts_embedded", texts=len(embedded), things=things, ms=round(1000 * (monotonic() - started))
        )
        return True

    async def _ask(self, texts: Sequence[Text]) -> Mapping[bytes, Embedding]:
        """The backend's answer; a text that it cannot take is set aside and does not hold up the others."""
        if not texts:
            return {}
        try:
            async with self._holding(texts):
                answer = await self._backend.embed([text.text for text in texts])
        except (Retryable, ConfigurationError):
            raise
        except Exception as error:
            if not isinstance(error, Permanent):
                log.exception("embedding_failed", texts=len(texts))
            return await self._ask_halves(texts, error)
        return {text.digest: one for text, one in zip(texts, answer, strict=True)}

    @asynccontextmanager
    async def _holding(self, texts: Sequence[Text]) -> AsyncIterator[None]:
        """Prolong the lease as long as the block takes."""
        keeper = asyncio.create_task(self._prolong([text.digest for text in texts]))
        try:
            yield
        finally:
            keeper.cancel()
            await asyncio.wait((keeper,))

    async def _prolong(self, digests: Sequence[bytes]) -> None:
        while True:
            await asyncio.sleep(LEASE / 3)
            with contextlib.suppress(Retryable):  # at worst somebody else embeds them too
                await self._queue.keep(digests, LEASE)

    async def _ask_halves(self, texts: Sequence[Text], error: Exception) -> Mapping[bytes, Embedding]:
        if len(texts) == 1:
            reason = f"{type(error).__name__}: {error}"
            await self._queue.postpone([texts[0].digest], reason, _backoff(texts), give_up=True)
            return {}
        middle = len(texts) // 2
        return {**await self._ask(texts[:middle]), **await self._ask(texts[middle:])}

    async def _postpone(self, texts: Sequence[Text], error: Exception) -> None:
        pause = MEND_SECONDS if isinstance(error, ConfigurationError) else _backoff(texts)
        seconds = error.seconds if isinstance(error, Postponed) else pause
        log.warning("embedding_postponed", texts=len(texts), seconds=round(seconds, 1), reason=str(error))
        await self._queue.postpone([text.digest for text in texts], str(error), seconds)


class InterestJob:
    """Builds the interest vectors of people who are due, until none is."""

    def __init__(self, queue: InterestQueue, stop: asyncio.Event) -> None:
        self._queue = queue
        self._stop = stop

    async def run(self) -> None:
        """Work until nobody is due or the process is to stop.

        Raises:
            Retryable: PostgreSQL is away.
        """
        if not await self._queue.ready():
            return
        while not self._stop.is_set() and await self._queue.build(PEOPLE_PER_TRANSACTION):
            pass
        await self._queue.come_back()


def _backoff(texts: Sequence[Text]) -> float:
    return min(2.0 ** (max(text.attempts for text in texts) - 1), MAX_BACKOFF)
