-- Vectors of posts, quizzes, courses and people's interests. The tables up to `quota` need no extension; those that
-- hold vectors are made by embeddings.install(), when the migration runs and again whenever the consumer starts, so
-- that a pgvector that is installed later switches the feature on.
--
-- A text is known by its hash. `documents` says which text each thing has now, `cache` has the vector of a text,
-- `vectors` is the view: the two joined. A text without a vector waits in `pending`, once, however many things have it.

CREATE SCHEMA IF NOT EXISTS embeddings;

-- A model is a name with everything that changes its vectors. Reads use the one that is `serving`; another that is
-- configured is filled beside it and takes over when it has everything.
CREATE TABLE embeddings.models (
    id         smallint    GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    name       text        NOT NULL UNIQUE,
    dimension  integer     NOT NULL CHECK (dimension BETWEEN 8 AND 4000),
    serving    boolean     NOT NULL DEFAULT false,
    created_at timestamptz NOT NULL DEFAULT now()
);
CREATE UNIQUE INDEX models_serving ON embeddings.models (serving) WHERE serving;

-- The engine's checkpoint, and the model that it was filled for (none while the feature is off).
CREATE TABLE embeddings.checkpoint (
    single     boolean     PRIMARY KEY DEFAULT true CHECK (single),
    generation bigint      NOT NULL,
    checkpoint text        NOT NULL,
    model_id   smallint    REFERENCES embeddings.models ON DELETE SET NULL,
    updated_at timestamptz NOT NULL DEFAULT now()
);

-- kind: post, quiz (id is its post's), course, profile (id is the user's).
CREATE TABLE embeddings.documents (
    kind         text  NOT NULL CHECK (kind IN ('post', 'quiz', 'course', 'profile')),
    id           text  NOT NULL,
    content_hash bytea NOT NULL,
    PRIMARY KEY (kind, id)
);
CREATE INDEX documents_hash ON embeddings.documents (content_hash);

-- Texts that wait for the model. `due_at` is also the lease of a worker that has taken one: when it dies, the text
-- is due again. 'infinity' means given up, with the reason in `error`.
CREATE TABLE embeddings.pending (
    model_id     smallint    NOT NULL REFERENCES embeddings.models ON DELETE CASCADE,
    content_hash bytea       NOT NULL,
    text         text        NOT NULL,
    refill       boolean     NOT NULL,
    queued_at    timestamptz NOT NULL DEFAULT clock_timestamp(),
    due_at       timestamptz NOT NULL DEFAULT '-infinity',
    attempts     integer     NOT NULL DEFAULT 0,
    error        text,
    PRIMARY KEY (model_id, content_hash)
);
CREATE INDEX pending_order ON embeddings.pending (model_id, refill, queued_at);

-- People whose interests have changed since their vector was built.
CREATE TABLE embeddings.stale_interests (
    user_id text        PRIMARY KEY,
    due_at  timestamptz NOT NULL
);
CREATE INDEX stale_interests_due ON embeddings.stale_interests (due_at);

-- Requests to an external API, by calendar month.
CREATE TABLE embeddings.quota (
    backend text NOT NULL,
    month   date NOT NULL,
    used    int  NOT NULL,
    PRIMARY KEY (backend, month)
);

-- For operators: what waits for each model, and what has been given up (see `error` in embeddings.pending).
CREATE VIEW embeddings.backlog AS
    SELECT m.name AS model, m.serving, count(p.text) FILTER (WHERE p.due_at < 'infinity') AS waiting,
           min(p.queued_at) FILTER (WHERE p.due_at < 'infinity') AS oldest,
           count(p.text) FILTER (WHERE p.due_at = 'infinity') AS given_up
      FROM embeddings.models m LEFT JOIN embeddings.pending p ON p.model_id = m.id
     GROUP BY m.id;

-- Whether the tables that hold vectors are there and whole: dropping the extension takes their columns along.
CREATE FUNCTION embeddings.installed() RETURNS boolean LANGUAGE sql STABLE AS $$
    SELECT count(*) = 3 FROM pg_attribute
     WHERE attrelid IN (to_regclass('embeddings.cache'), to_regclass('embeddings.vectors'), to_regclass('embeddings.interests'))
       AND attname = 'embedding' AND NOT attisdropped
$$;

-- Make what needs pgvector. Gives NULL when the feature is on, else why it is off.
CREATE FUNCTION embeddings.install() RETURNS text LANGUAGE plpgsql AS $$
DECLARE
    version text;
BEGIN
    PERFORM pg_advisory_xact_lock(7310100);
    BEGIN
        CREATE EXTENSION IF NOT EXISTS vector;
    EXCEPTION WHEN insufficient_privilege OR undefined_file OR feature_not_supported THEN
        RETURN 'pgvector cannot be installed: ' || SQLERRM;
    END;
    SELECT extversion INTO version FROM pg_extension WHERE extname = 'vector';
    IF string_to_array(version, '.')::int[] < '{0,8,0}' THEN
        RETURN format('pgvector is %s, 0.8.0 or newer is needed', version);
    ELSIF to_regtype('halfvec') IS NULL THEN
        RETURN 'pgvector is in a schema outside of the search_path';
    ELSIF embeddings.installed() THEN
        RETURN NULL;
    END IF;

    DROP VIEW IF EXISTS embeddings.posts;
    DROP TABLE IF EXISTS embeddings.vectors, embeddings.interests, embeddings.cache;

    -- Vectors of texts, kept when the view is dropped: nothing is embedded twice.
    CREATE TABLE embeddings.cache (
        model_id     smallint    NOT NULL REFERENCES embeddings.models ON DELETE CASCADE,
        content_hash bytea       NOT NULL,
        embedding    halfvec     NOT NULL,
        readable     boolean     NOT NULL,   -- false: the model does not know the script, its vector means nothing
        created_at   timestamptz NOT NULL DEFAULT now(),
        PRIMARY KEY (model_id, content_hash)
    );

    -- The dimension is the model's, so it stands in the index of each model and not in the column.
    CREATE TABLE embeddings.vectors (
        kind         text        NOT NULL,
        id           text        NOT NULL,
        model_id     smallint    NOT NULL REFERENCES embeddings.models ON DELETE CASCADE,
        content_hash bytea       NOT NULL,
        embedding    halfvec     NOT NULL,
        readable     boolean     NOT NULL,
        embedded_at  timestamptz NOT NULL DEFAULT clock_timestamp(),
        PRIMARY KEY (kind, id, model_id),
        FOREIGN KEY (kind, id) REFERENCES embeddings.documents ON DELETE CASCADE
    );

    -- What a person is interested in, as one unit vector.
    CREATE TABLE embeddings.interests (
        user_id    text        NOT NULL,
        model_id   smallint    NOT NULL REFERENCES embeddings.models ON DELETE CASCADE,
        embedding  halfvec     NOT NULL,
        signals    integer     NOT NULL,
        built_at   timestamptz NOT NULL DEFAULT clock_timestamp(),
        PRIMARY KEY (user_id, model_id)
    );

    CREATE VIEW embeddings.posts AS
        SELECT v.id AS post_id, m.name AS model, v.content_hash, v.readable, v.embedded_at, v.embedding
          FROM embeddings.vectors v JOIN embeddings.models m ON m.id = v.model_id
         WHERE v.kind = 'post' AND m.serving;

    -- A table that had to be made again forgets what the checkpoint claims: the engine then fills it.
    DELETE FROM embeddings.checkpoint;
    RETURN NULL;
END
$$;

-- The id of a model, made known with its indexes at first sight. Only after install() has given NULL.
CREATE FUNCTION embeddings.use_model(name text, dimension integer) RETURNS smallint LANGUAGE plpgsql AS $$
DECLARE
    model embeddings.models;
    part  text;
BEGIN
    PERFORM pg_advisory_xact_lock(7310100);
    SELECT * INTO model FROM embeddings.models m WHERE m.name = use_model.name;
    IF model.id IS NULL THEN
        INSERT INTO embeddings.models (name, dimension) VALUES (use_model.name, use_model.dimension) RETURNING * INTO model;
    ELSIF model.dimension <> use_model.dimension THEN
        RAISE invalid_parameter_value USING
            MESSAGE = format('model %s has %s dimensions, not %s', name, model.dimension, use_model.dimension);
    END IF;
    FOREACH part IN ARRAY ARRAY['post', 'quiz', 'course'] LOOP
        IF to_regclass(format('embeddings.vectors_%s_%s', part, model.id)) IS NULL THEN
            EXECUTE format(
                'CREATE INDEX vectors_%1$s_%2$s ON embeddings.vectors USING hnsw ((embedding::halfvec(%3$s)) halfvec_cosine_ops)'
                ' WHERE kind = %1$L AND model_id = %2$s AND readable', part, model.id, model.dimension);
        END IF;
    END LOOP;
    IF to_regclass(format('embeddings.interests_%s', model.id)) IS NULL THEN
        EXECUTE format(
            'CREATE INDEX interests_%1$s ON embeddings.interests USING hnsw ((embedding::halfvec(%2$s)) halfvec_cosine_ops)'
            ' WHERE model_id = %1$s', model.id, model.dimension);
    END IF;
    RETURN model.id;
END
$$;

-- How near each of the posts is to what the user is interested in, 0 to 1; no row for a post or user without a
-- vector, or a post that the model cannot read, and none at all where the feature is off.
CREATE FUNCTION embeddings.semantic_scores(user_id text, post_ids text[]) RETURNS TABLE (post_id text, score real)
LANGUAGE plpgsql STABLE AS $$
BEGIN
    IF NOT embeddings.installed() THEN
        RETURN;
    END IF;
    RETURN QUERY
        SELECT v.id, greatest(0, 1 - (v.embedding <=> i.embedding))::real
          FROM embeddings.models m
          JOIN embeddings.interests i ON i.model_id = m.id AND i.user_id = semantic_scores.user_id
          JOIN embeddings.vectors v ON v.model_id = m.id AND v.kind = 'post' AND v.id = ANY (semantic_scores.post_ids)
         WHERE m.serving AND v.readable;
END
$$;

-- Drop the view and keep the cache: the consumer then fills it again from the truth, without the model.
CREATE FUNCTION embeddings.forget() RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    DELETE FROM embeddings.checkpoint;
    UPDATE embeddings.models SET serving = false;
    TRUNCATE embeddings.pending, embeddings.stale_interests;
    IF to_regclass('embeddings.vectors') IS NULL THEN
        TRUNCATE embeddings.documents;
    ELSE
        TRUNCATE embeddings.documents, embeddings.vectors, embeddings.interests;
    END IF;
END
$$;

DO $$
DECLARE
    reason text := embeddings.install();
BEGIN
    IF reason IS NOT NULL THEN
        RAISE NOTICE 'semantic features are off: %', reason;
    END IF;
END
$$;
