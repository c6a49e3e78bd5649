-- A set of vectors is checkpoint, documents, pending and vectors. A shadow is another set: the same tables with `_r<number>`
-- behind their names (and behind those of their indexes), filled beside the set that serves, then exchanged with it.

-- A set that a rebuild has put in its place stays with its model until another rebuild: who is configured for another
-- one waits, instead of filling it anew.
ALTER TABLE embeddings.checkpoint ADD COLUMN pinned boolean NOT NULL DEFAULT false;

-- Empty tables for a shadow; the indexes for nearness come when the vectors are loaded.
CREATE FUNCTION embeddings.make_shadow(number integer) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
    part text;
BEGIN
    IF to_regclass('embeddings.vectors_r' || number) IS NOT NULL THEN
        RETURN;
    END IF;
    PERFORM pg_advisory_xact_lock(7310100);
    FOREACH part IN ARRAY ARRAY['checkpoint', 'documents', 'pending', 'vectors'] LOOP
        EXECUTE format('CREATE TABLE embeddings.%1$I (LIKE embeddings.%2$I INCLUDING DEFAULTS INCLUDING CONSTRAINTS)',
                       part || '_r' || number, part);
    END LOOP;
    EXECUTE format('ALTER TABLE embeddings.%I ADD PRIMARY KEY (single)', 'checkpoint_r' || number);
    EXECUTE format('ALTER TABLE embeddings.%I ADD PRIMARY KEY (kind, id)', 'documents_r' || number);
    EXECUTE format('ALTER TABLE embeddings.%I ADD PRIMARY KEY (model_id, content_hash)', 'pending_r' || number);
    EXECUTE format('ALTER TABLE embeddings.%I ADD PRIMARY KEY (kind, id, model_id)', 'vectors_r' || number);
    EXECUTE format('CREATE INDEX documents_hash_r%1$s ON embeddings.documents_r%1$s (content_hash)', number);
    EXECUTE format('CREATE INDEX pending_order_r%1$s ON embeddings.pending_r%1$s (model_id, refill, queued_at)', number);
END
$$;

-- Load the vectors of a shadow's documents from the cache, then build the indexes in one go: all or nothing.
CREATE FUNCTION embeddings.load_shadow(number integer, model integer) RETURNS bigint LANGUAGE plpgsql
SET max_parallel_maintenance_workers = 4 AS $$
DECLARE
    loaded bigint;
    length integer;
    part   text;
BEGIN
    IF to_regclass(format('embeddings.vectors_course_%s_r%s', model, number)) IS NOT NULL THEN
        RETURN NULL; -- done before
    END IF;
    SELECT m.dimension INTO length FROM embeddings.models m WHERE m.id = load_shadow.model;
    EXECUTE format(
        'INSERT INTO embeddings.vectors_r%1$s (kind, id, model_id, content_hash, embedding, readable)'
        ' SELECT d.kind, d.id, c.model_id, c.content_hash, c.embedding, c.readable'
        '   FROM embeddings.documents_r%1$s d JOIN embeddings.cache c ON c.model_id = $1 AND c.content_hash = d.content_hash'
        ' ON CONFLICT DO NOTHING', number) USING load_shadow.model::smallint;
    GET DIAGNOSTICS loaded = ROW_COUNT;
    FOREACH part IN ARRAY ARRAY['post', 'quiz', 'course'] LOOP
        EXECUTE format(
            'CREATE INDEX vectors_%1$s_%2$s_r%4$s ON embeddings.vectors_r%4$s'
            ' USING hnsw ((embedding::halfvec(%3$s)) halfvec_cosine_ops)'
            ' WHERE kind = %1$L AND model_id = %2$s AND readable', part, model, length, number);
    END LOOP;
    EXECUTE format('ALTER TABLE embeddings.vectors_r%1$s ADD FOREIGN KEY (kind, id)'
                   ' REFERENCES embeddings.documents_r%1$s ON DELETE CASCADE', number);
    EXECUTE format('ANALYZE embeddings.documents_r%1$s, embeddings.vectors_r%1$s', number);
    RETURN loaded;
END
$$;

-- Let the set that serves and a shadow change places, in the caller's transaction: who reads or writes meanwhile waits for
-- a moment, and then finds the other tables under the same names. The model of the set that serves is the one that reads
-- use.
CREATE FUNCTION embeddings.exchange_shadow(number integer) RETURNS void LANGUAGE plpgsql
SET lock_timeout = '200ms' AS $$
DECLARE
    suffix text := '_r' || number;
    part   text;
    old    record;
    others integer;
BEGIN
    EXECUTE format('LOCK TABLE embeddings.models, embeddings.checkpoint, embeddings.pending, embeddings.documents,'
                   ' embeddings.vectors, embeddings.pending%1$s, embeddings.documents%1$s, embeddings.vectors%1$s,'
                   ' embeddings.checkpoint%1$s IN ACCESS EXCLUSIVE MODE', suffix);
    FOREACH part IN ARRAY ARRAY['checkpoint', 'documents', 'pending', 'vectors'] LOOP
        EXECUTE format('ALTER TABLE embeddings.%I RENAME TO %I', part, part || '_exchanging');
        EXECUTE format('ALTER TABLE embeddings.%I RENAME TO %I', part || suffix, part);
        EXECUTE format('ALTER TABLE embeddings.%I RENAME TO %I', part || '_exchanging', part || suffix);
        FOR old IN SELECT c.relname AS name FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid
                    WHERE i.indrelid = format('embeddings.%I', part || suffix)::regclass LOOP
            EXECUTE format('ALTER INDEX embeddings.%I RENAME TO %I', old.name, old.name || '_exchanging');
        END LOOP;
        FOR old IN SELECT c.relname AS name FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid
                    WHERE i.indrelid = format('embeddings.%I', part)::regclass AND c.relname LIKE '%' || suffix LOOP
            EXECUTE format('ALTER INDEX embeddings.%I RENAME TO %I', old.name,
                           left(old.name, -length(suffix)));
        END LOOP;
        FOR old IN SELECT c.relname AS name FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid
                    WHERE i.indrelid = format('embeddings.%I', part || suffix)::regclass LOOP
            EXECUTE format('ALTER INDEX embeddings.%I RENAME TO %I', old.name,
                           replace(old.name, '_exchanging', '') || suffix);
        END LOOP;
    END LOOP;
    CREATE OR REPLACE VIEW embeddings.posts AS
        SELECT v.id AS post_id, m.name AS model, v.content_hash, v.readable, v.embedded_at, v.embedding
          FROM embeddings.vectors v JOIN embeddings.models m ON m.id = v.model_id
         WHERE v.kind = 'post' AND m.serving;
    CREATE OR REPLACE VIEW embeddings.backlog AS
        SELECT m.name AS model, m.serving, count(p.text) FILTER (WHERE p.due_at < 'infinity') AS waiting,
               min(p.queued_at) FILTER (WHERE p.due_at < 'infinity') AS oldest,
               count(p.text) FILTER (WHERE p.due_at = 'infinity') AS given_up
          FROM embeddings.models m LEFT JOIN embeddings.pending p ON p.model_id = m.id
         GROUP BY m.id;
    EXECUTE format('UPDATE embeddings.checkpoint c SET pinned = true FROM embeddings.checkpoint%s o'
                   ' WHERE c.model_id IS DISTINCT FROM o.model_id', suffix);
    GET DIAGNOSTICS others = ROW_COUNT;
    IF others > 0 THEN -- what people did meanwhile has been told to the model of before
        INSERT INTO embeddings.stale_interests (user_id, due_at)
        SELECT i.user_id, clock_timestamp() FROM embeddings.interests i
         WHERE i.model_id = (SELECT model_id FROM embeddings.checkpoint)
        ON CONFLICT (user_id) DO NOTHING;
    END IF;
    UPDATE embeddings.models SET serving = false
     WHERE serving AND id IS DISTINCT FROM (SELECT model_id FROM embeddings.checkpoint);
    UPDATE embeddings.models SET serving = true
     WHERE NOT serving AND id = (SELECT model_id FROM embeddings.checkpoint);
END
$$;

CREATE FUNCTION embeddings.drop_shadow(number integer) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    EXECUTE format('DROP TABLE IF EXISTS embeddings.vectors_r%1$s, embeddings.documents_r%1$s, embeddings.pending_r%1$s,'
                   ' embeddings.checkpoint_r%1$s', number);
END
$$;
