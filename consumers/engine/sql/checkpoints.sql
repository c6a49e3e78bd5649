-- Copies of the views' checkpoints, for reads and operators.

-- name: save_copy
-- A paused former owner (smaller generation) changes nothing.
INSERT INTO engine.checkpoints AS c (consumer, state, topics, generation, incarnation, epoch, snapshot, checkpoint)
VALUES (%(consumer)s, %(state)s, %(topics)s, %(generation)s, %(incarnation)s, %(epoch)s, %(snapshot)s, %(checkpoint)s)
ON CONFLICT (consumer, partition) DO UPDATE
   SET state = excluded.state, topics = excluded.topics, generation = excluded.generation,
       incarnation = excluded.incarnation, epoch = excluded.epoch, snapshot = excluded.snapshot,
       checkpoint = excluded.checkpoint, updated_at = clock_timestamp()
 WHERE c.generation <= excluded.generation

-- name: load_incarnation
-- Which life of the view PostgreSQL knows.
SELECT incarnation FROM engine.checkpoints WHERE consumer = %s AND partition = 0
