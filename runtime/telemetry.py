"""Every metric of every process, in one table: what is not here is not measured. Names are a contract for dashboards.

`prometheus_client` keeps the numbers; `/metrics` of the API prints those of its own process, together with what
PostgreSQL knows of all consumers. No label ever carries a person, a key or a token.
"""

from __future__ import annotations

from typing import Final

from prometheus_client import Counter, Gauge, Histogram

_SECONDS: Final = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30)

# Consumers
CONSUMER_EVENTS: Final = Counter(
    "stunity_consumer_events", "Events that reached the view or were set aside.", ["consumer"]
)
CONSUMER_BATCH_SECONDS: Final = Histogram(
    "stunity_consumer_batch_seconds",
    "Time to apply one batch, waits included.",
    ["consumer"],
    buckets=_SECONDS,
)
CONSUMER_OUTAGES: Final = Counter(
    "stunity_consumer_store_failures", "Attempts that failed because a store was away.", ["consumer"]
)
CONSUMER_DEAD_LETTERS: Final = Counter(
    "stunity_consumer_dead_letters", "Events set aside as poison by this process.", ["consumer"]
)
CONSUMER_CATCH_UPS: Final = Counter(
    "stunity_consumer_catch_ups", "Times a consumer left the streams for the log.", ["consumer"]
)
CONSUMER_LAG: Final = Gauge(
    "stunity_consumer_lag_seconds", "Age of the oldest event that the view does not have.", ["consumer"]
)
CONSUMER_LIVE: Final = Gauge(
    "stunity_consumer_live", "1 when reads are answered from the view.", ["consumer"]
)
CONSUMER_OWNED: Final = Gauge(
    "stunity_consumer_owned", "1 when a process keeps the view in sync.", ["consumer"]
)
CONSUMER_OPEN_LETTERS: Final = Gauge(
    "stunity_consumer_open_dead_letters", "Dead letters that nobody has settled.", ["consumer"]
)
CONSUMER_PARKED_KEYS: Final = Gauge(
    "stunity_consumer_parked_keys", "Keys that have an open dead letter.", ["consumer"]
)
VERIFIED_DIFFERENCES: Final = Gauge(
    "stunity_verified_differences",
    "Keys of the view that differed from the truth at the last look.",
    ["view"],
)
VERIFIED_AGE: Final = Gauge(
    "stunity_verified_age_seconds", "Time since the view was last compared with the truth.", ["view"]
)

# The log
LOG_HELD_DAYS: Final = Gauge(
    "stunity_log_held_days", "Days past their retention that stay because somebody needs them."
)
LOG_FORCED_DAYS: Final = Gauge(
    "stunity_log_forced_days", "Days that left in the last week although somebody needed them."
)

# Reads
READS: Final = Counter("stunity_reads", "Reads, by view and by the store that answered.", ["view", "source"])
READ_FALLBACKS: Final = Counter(
    "stunity_read_fallbacks", "Reads that PostgreSQL answered in place of a view.", ["view", "reason"]
)

# Relay
RELAY_EVENTS: Final = Counter("stunity_relay_events", "Events appended to streams.")
RELAY_SKIPPED: Final = Counter("stunity_relay_skipped", "Events found in their stream after a restart.")
RELAY_UNKNOWN_TOPICS: Final = Counter("stunity_relay_unknown_topics", "Events of topics without a stream.")
RELAY_BYTES: Final = Counter("stunity_relay_bytes", "Bytes of events sent to Redis.")
RELAY_BATCH_SECONDS: Final = Histogram(
    "stunity_relay_batch_seconds", "Time until Redis has a batch, retries included.", buckets=_SECONDS
)
RELAY_MARKERS: Final = Counter("stunity_relay_markers", "Markers put on all streams.")
RELAY_GAPS: Final = Counter("stunity_relay_gaps", "Times Redis had lost what could not be sent again.")
RELAY_EPOCHS: Final = Counter("stunity_relay_epochs", "Epochs begun by this process.", ["reason"])
RELAY_RESTARTS: Final = Counter("stunity_relay_restarts", "Sessions that broke off.", ["reason"])
RELAY_REDIS_FAILURES: Final = Counter(
    "stunity_relay_redis_failures", "Replies of Redis that are no success, by code.", ["code"]
)
RELAY_ACTIVE: Final = Gauge("stunity_relay_active", "1 while this process publishes, 0 while it stands by.")
RELAY_EPOCH: Final = Gauge("stunity_relay_epoch", "The epoch that is being published.")
RELAY_RETAINED_BYTES: Final = Gauge("stunity_relay_retained_wal_bytes", "WAL that our slot keeps.")
RELAY_HEADROOM_BYTES: Final = Gauge(
    "stunity_relay_wal_headroom_bytes", "WAL that may still be written before our slot is lost; -1 unbounded."
)
