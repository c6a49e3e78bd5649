-- The transaction around a batch (store.py).

-- name: first_checkpoint
-- While the view is filled: made where there is none, refused (no row) when a newer owner has written here.
INSERT INTO {schema}.checkpoint AS old (generation, checkpoint) VALUES (%(generation)s, %(checkpoint)s)
ON CONFLICT (single) DO UPDATE
   SET generation = EXCLUDED.generation, checkpoint = EXCLUDED.checkpoint, updated_at = now()
 WHERE old.generation <= EXCLUDED.generation

-- name: next_checkpoint
-- Refused (no row) when there is none, or another than expected, or when a newer owner has written here. The row is the
-- writers' lock.
UPDATE {schema}.checkpoint SET generation = %(generation)s, checkpoint = %(checkpoint)s, updated_at = now()
 WHERE generation <= %(generation)s
   AND (%(expects)s::text IS NULL OR checkpoint IN (%(expects)s::text, %(checkpoint)s))

-- name: claim
-- Nobody else writes until the transaction ends. No row: there is none, or a newer owner has written here.
UPDATE {schema}.checkpoint SET generation = %(generation)s WHERE generation <= %(generation)s

-- name: kept
-- What a clearing leaves.
SELECT generation, checkpoint FROM {schema}.checkpoint

-- name: restore
INSERT INTO {schema}.checkpoint (generation, checkpoint) VALUES (%s, %s)

-- name: newer_owner
-- A row when there is one.
SELECT FROM {schema}.checkpoint WHERE generation > %(generation)s

-- name: read_checkpoint
-- None when there is none.
SELECT checkpoint FROM {schema}.checkpoint

-- name: lock
-- Nobody else writes until the transaction ends.
SELECT FROM {schema}.checkpoint FOR UPDATE

-- name: erase_person
-- The number stays behind, of nobody.
DELETE FROM {schema}.people WHERE user_id = ANY (%s)

-- name: truth
-- Which of these posts still are, and the school of each of these people.
SELECT ARRAY(SELECT id FROM posts WHERE id = ANY (%(posts)s::text[])),
       (SELECT json_object_agg(id, "schoolId") FROM users WHERE id = ANY (%(users)s::text[]))

-- name: without_limit
-- Old facts are kept by column; a person is erased there too, however many rows have to be opened for it.
SELECT set_config('timescaledb.max_tuples_decompressed_per_dml_transaction', '0', true)

-- name: is_webassembly
-- That build knows no COPY.
SELECT version() ~ 'Emscripten'

-- name: watermark
-- Up to here a continuous aggregate is materialised; from here on it is counted from the facts.
SELECT c.user_view_name, extract(epoch FROM _timescaledb_functions.to_timestamp(
           _timescaledb_functions.cagg_watermark(c.mat_hypertable_id)))::float8
  FROM _timescaledb_catalog.continuous_agg c WHERE c.user_view_schema = '{schema}'

-- name: kind
-- What the tables were made for.
SELECT kind FROM {schema}.made
