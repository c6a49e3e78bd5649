-- What the consumer engine keeps in PostgreSQL: who owns a consumer, how far each view is, and what was set aside.
-- The view's own checkpoint lives in the view's own store (I10b); the copy here is what reads and operators look at.

CREATE SCHEMA IF NOT EXISTS engine;

-- One owner per consumer and partition. `generation` grows with every change of owner; a store that has seen a
-- larger one refuses the write of a paused former owner.
CREATE TABLE engine.leases (
    consumer   text        NOT NULL,
    partition  int         NOT NULL DEFAULT 0,
    generation bigint      NOT NULL DEFAULT 0,
    owner      text,
    expires_at timestamptz NOT NULL DEFAULT '-infinity',
    PRIMARY KEY (consumer, partition)
);

-- The copy of each view's checkpoint. `filling` views are not served: reads go to PostgreSQL until they are `live`.
CREATE TABLE engine.checkpoints (
    consumer    text        NOT NULL,
    partition   int         NOT NULL DEFAULT 0,
    state       text        NOT NULL CHECK (state IN ('filling', 'live')),
    topics      text[]      NOT NULL,
    generation  bigint      NOT NULL DEFAULT 0,
    incarnation text        NOT NULL,
    epoch       int         NOT NULL,
    snapshot    pg_snapshot NOT NULL,
    checkpoint  text        NOT NULL,
    updated_at  timestamptz NOT NULL DEFAULT clock_timestamp(),
    PRIMARY KEY (consumer, partition)
) WITH (fillfactor = 50);

-- Events that a view would not take (`dead`), and those that wait behind them in order (`waiting`).
-- `retry` asks the running consumer to apply the letter again; the rest is history and is never evicted.
CREATE TABLE engine.dead_letters (
    id          bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    consumer    text        NOT NULL,
    state       text        NOT NULL CHECK (state IN ('dead', 'waiting', 'retry', 'applied', 'superseded', 'discarded')),
    waits       boolean     NOT NULL,
    event_id    bigint      NOT NULL,
    xid         xid8        NOT NULL,
    occurred_at timestamptz NOT NULL,
    topic       text        NOT NULL,
    type        text        NOT NULL,
    key         text        NOT NULL,
    data        text        NOT NULL,
    headers     text        NOT NULL,
    reason      text        NOT NULL,
    note        text,
    attempts    int         NOT NULL DEFAULT 1,
    created_at  timestamptz NOT NULL DEFAULT clock_timestamp(),
    changed_at  timestamptz NOT NULL DEFAULT clock_timestamp()
);
CREATE UNIQUE INDEX dead_letters_open ON engine.dead_letters (consumer, topic, key, event_id, type, md5(data))
    WHERE state IN ('dead', 'waiting', 'retry');
CREATE INDEX dead_letters_retry ON engine.dead_letters (consumer, id) WHERE state = 'retry';

-- Keys whose later events wait (`waits`) or may supersede the letter.
CREATE VIEW engine.parked_keys AS
    SELECT consumer, topic, key, bool_or(waits) AS waits, count(*) AS letters, min(created_at) AS since
      FROM engine.dead_letters
     WHERE state IN ('dead', 'waiting', 'retry')
     GROUP BY consumer, topic, key;
