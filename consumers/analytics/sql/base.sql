-- What is the same on every kind of server. {schema} is one generation of the view (schema.py).
CREATE SCHEMA IF NOT EXISTS {schema};

-- One row: what this generation was made for; another kind or zone is another generation.
CREATE TABLE {schema}.made (
    single boolean PRIMARY KEY DEFAULT true CHECK (single),
    kind text NOT NULL,
    zone text NOT NULL,
    retention_days int,
    version int NOT NULL,
    at timestamptz NOT NULL DEFAULT now()
);

-- One row: the engine's checkpoint and the newest lease generation that wrote here.
CREATE TABLE {schema}.checkpoint (
    single boolean PRIMARY KEY DEFAULT true CHECK (single),
    generation bigint NOT NULL DEFAULT 0,
    checkpoint text,
    updated_at timestamptz NOT NULL DEFAULT now()
);

-- People by number: sets of numbers can be merged. Numbers of erased people are not given again.
CREATE TABLE {schema}.people (
    id int GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    user_id text NOT NULL UNIQUE
);

-- Who looked at a post on a busy school day (busy.py), and who did something at a school: roaring bitmaps (people.py).
-- `by_hour` holds (hour of the day << 27 | person), for windows that begin inside a day.
CREATE TABLE {schema}.post_people (
    post_id text NOT NULL,
    day timestamptz NOT NULL,
    people bytea NOT NULL,
    by_hour bytea NOT NULL,
    PRIMARY KEY (post_id, day)
) WITH (fillfactor = 80);
CREATE INDEX post_people_day ON {schema}.post_people USING brin (day);
CREATE TABLE {schema}.school_people (
    school_id text NOT NULL,
    day timestamptz NOT NULL,
    people bytea NOT NULL,
    by_hour bytea NOT NULL,
    PRIMARY KEY (school_id, day)
) WITH (fillfactor = 80);
-- Bitmaps do not shrink by compression.
ALTER TABLE {schema}.post_people ALTER people SET STORAGE EXTERNAL, ALTER by_hour SET STORAGE EXTERNAL;
ALTER TABLE {schema}.school_people ALTER people SET STORAGE EXTERNAL, ALTER by_hour SET STORAGE EXTERNAL;

-- A fact table that is emptied is a view that is lost: without a checkpoint it is made anew and filled from the truth.
CREATE FUNCTION {schema}.forget() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    EXECUTE format('DELETE FROM %I.checkpoint', TG_TABLE_SCHEMA);
    RETURN NULL;
END $$;
