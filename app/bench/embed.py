"""How fast texts become vectors, against `SentenceTransformer.encode` as it comes: same texts, same threads.

Both run in this process, in turns, so that both meet the same machine. The cosine between their vectors says what
the speed costs.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from statistics import median
from time import perf_counter
from typing import Any, Final

import numpy as np

from consumers.embeddings.local import BUNDLED, LocalBackend, model_source
from consumers.embeddings.schema import Kind, Model, Vector
from consumers.embeddings.text import document
from producers.synthetic.network import Network
from producers.synthetic.size import Size

_MODEL: Final = Model(BUNDLED, 384)


def measure(*, texts: int, threads: int, rounds: int, say: Callable[[str], None]) -> dict[str, Any]:
    """Texts per second of both, medians over the rounds."""
    posts = _posts(texts)
    ours = LocalBackend(_MODEL, threads=threads)
    say("loading the model twice …")
    asyncio.run(_embed(ours, posts[:32]))  # sets the process's number of threads, for both
    reference = _reference()
    reference(posts[:32])
    rates: dict[str, list[float]] = {"ours": [], "encode": []}
    cosines: list[float] = []
    for number in range(rounds):
        say(f"round {number + 1} of {rounds} …")
        mine, rate = _timed(lambda: asyncio.run(_embed(ours, posts)), len(posts))
        rates["ours"].append(rate)
        theirs, rate = _timed(lambda: reference(posts), len(posts))
        rates["encode"].append(rate)
        cosines = _cosines(mine, theirs)
    ours.close()
    speed = {name: median(values) for name, values in rates.items()}
    return {
        "texts_per_s": {name: round(value, 1) for name, value in speed.items()},
        "ratio_to_encode": round(speed["ours"] / speed["encode"], 3),
        "cosine": {"lowest": round(min(cosines), 5), "mean": round(float(np.mean(cosines)), 5)},
        "texts": len(posts),
        "threads": threads,
        "rounds": rounds,
    }


def _posts(count: int) -> list[str]:
    """Texts of synthetic posts, in the languages and lengths of a school network."""
    rows = Network(Size(posts=count)).rows("posts")
    made = (
        document(Kind.POST, row["id"], (row["title"], row["content"]), row["topicTags"] or (), _MODEL)
        for row in rows
    )
    return [one.text for one in made if one is not None]


async def _embed(backend: LocalBackend, texts: list[str]) -> Vector:
    """As the worker does: batch after batch."""
    found = []
    for start in range(0, len(texts), backend.batch):
        found += [one.vector for one in await backend.embed(texts[start : start + backend.batch])]
    return np.stack(found)


def _reference() -> Callable[[list[str]], Vector]:
    from sentence_transformers import SentenceTransformer

    model = SentenceTransformer(str(model_source(BUNDLED)), device="cpu")
    return lambda texts: np.asarray(model.encode(texts, show_progress_bar=False), dtype=np.float32)


def _timed(run: Callable[[], Vector], count: int) -> tuple[Vector, float]:
    started = perf_counter()
    vectors = run()
    return vectors, count / (perf_counter() - started)


def _cosines(one: Vector, other: Vector) -> list[float]:
    lengths = np.linalg.norm(one, axis=1) * np.linalg.norm(other, axis=1)
    return [float(value) for value in (one * other).sum(axis=1) / lengths]
