"""Vectors: what is to be embedded, the queue of texts, and (where pgvector can be had) cache, vectors, interests."""

from runtime.migrations import run_sql

revision = "embeddings_001"
down_revision = None
branch_labels = ("embeddings",)
depends_on = None


def upgrade() -> None:
    """Create schema `embeddings`."""
    run_sql(__file__, "001_embeddings.sql")
