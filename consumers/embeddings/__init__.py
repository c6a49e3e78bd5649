"""The consumer that keeps vectors: posts, quizzes, courses, and what each person is interested in (pgvector).

Events only name keys; the current rows are read from the truth in one query per batch, so any order or repetition
ends in the same vectors. A text is known by its hash: `documents` says which text each thing has, `cache` keeps the
vector of a text, and nothing is embedded twice, not after a rebuild either. The model runs in `stunity worker` only:
`projection.py` queues the texts that are missing in the same transaction as its checkpoint, `jobs.py` embeds them.

schema.py     kinds, models, what is queued        text.py      rows to texts and hashes (pure)
store.py      SQL of the projection                queue.py     SQL of the jobs
projection.py batches of events to documents       jobs.py      texts to vectors, signals to interests
backend.py    local model, Hugging Face, none      interests.py signals to one vector (pure)
view.py       answers from vectors                 fallback.py  the same questions without vectors
api.py        HTTP                                 wiring.py    builds them from settings

To rebuild: `SELECT embeddings.forget()` drops the view and keeps the cache; the engine fills it from the truth.
"""
