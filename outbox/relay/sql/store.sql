-- Statements of outbox/relay/store.py.

-- name: current
-- The newest epoch with the relay's memory of it.
SELECT e.epoch, e.mode, e.partitions, e.system_identifier, e.timeline, e.snapshot::text,
       s.database_oid::bigint, s.slot, s.publication_oid::bigint, s.fill_major, s.fill_since::text, s.fill_since_epoch, s.filled,
       s.confirmed, s.confirmed_progress, s.marker, s.marker_snapshot::text, s.marker_progress
  FROM outbox.epochs e JOIN outbox.relay_state s USING (epoch)
 ORDER BY e.epoch DESC LIMIT 1

-- name: server
-- Which server this is and where its WAL stands.
SELECT pg_is_in_recovery() AS in_recovery, current_setting('server_version_num')::int AS version,
       d.oid::bigint AS database_oid,
       ('x' || substr(pg_walfile_name(pg_current_wal_insert_lsn()), 1, 8))::bit(32)::int AS timeline,
       (pg_current_wal_insert_lsn() - '0/0'::pg_lsn)::bigint AS insert_lsn,
       (SELECT coalesce(max(epoch), 0) FROM outbox.epochs) AS newest_epoch
  FROM pg_database d WHERE d.datname = current_database()

-- name: system_identifier
-- What tells one cluster from another. Some hosts keep it to themselves.
SELECT system_identifier::text FROM pg_control_system()

-- name: in_recovery
-- A standby takes no relay.
SELECT pg_is_in_recovery()

-- name: floor
-- See outbox/migrations/004_relay.sql.
SELECT outbox.relay_floor() AS floor

-- name: add_epoch
-- A new epoch.
INSERT INTO outbox.epochs (epoch, mode, partitions, reason, system_identifier, timeline, settled_below_id, snapshot)
VALUES (%(epoch)s, %(mode)s, %(partitions)s, %(reason)s, %(system_identifier)s, %(timeline)s, %(floor)s,
        coalesce(%(snapshot)s::text::pg_snapshot, pg_current_snapshot()))
RETURNING snapshot::text

-- name: add_state
-- The relay's memory of it. Its fill begins where the last marker before it stood, be it several epochs ago.
INSERT INTO outbox.relay_state
    (epoch, database_oid, slot, publication_oid, fill_major, confirmed, fill_since, fill_since_epoch)
SELECT %(epoch)s, %(database_oid)s, %(slot)s, %(publication_oid)s, %(fill_major)s, %(confirmed)s,
       CASE WHEN p.marker_snapshot IS NULL THEN p.fill_since ELSE p.marker_snapshot END,
       CASE WHEN p.marker_snapshot IS NULL THEN coalesce(p.fill_since_epoch, 0) ELSE p.epoch END
  FROM (VALUES (1)) AS one LEFT JOIN
       (SELECT * FROM outbox.relay_state WHERE epoch < %(epoch)s ORDER BY epoch DESC LIMIT 1) p ON true

-- name: add_round
-- poll: the first snapshot counts as round 1.
INSERT INTO outbox.relay_rounds (epoch, round, snapshot)
SELECT epoch, %(round)s, snapshot FROM outbox.epochs WHERE epoch = %(epoch)s

-- name: forget_rounds
-- Rounds of epochs that are over.
DELETE FROM outbox.relay_rounds WHERE epoch < %(epoch)s

-- name: set_timeline
-- A standby took over that had everything.
UPDATE outbox.epochs SET timeline = %(timeline)s WHERE epoch = %(epoch)s

-- name: claim
-- Take a new fence.
UPDATE outbox.relay_state SET fence = nextval('outbox.relay_fence') WHERE epoch = %(epoch)s RETURNING fence

-- name: set_filled
-- The fill is in Redis.
UPDATE outbox.relay_state SET filled = %(filled)s WHERE epoch = %(epoch)s AND fence = %(fence)s

-- name: save
-- Before PostgreSQL is told: what Redis had there; and the newest marker.
UPDATE outbox.relay_state
   SET confirmed = greatest(confirmed, %(confirmed)s), confirmed_progress = %(confirmed_progress)s,
       marker = %(marker)s, marker_snapshot = %(marker_snapshot)s::text::pg_snapshot,
       marker_progress = %(marker_progress)s, updated_at = clock_timestamp()
 WHERE epoch = %(epoch)s AND fence = %(fence)s

-- name: snapshot_and_lsn
-- A snapshot, and then where the WAL stood: whoever the snapshot sees has committed before that. With it the publication
-- as that snapshot sees it: the same as ever means that nobody has written past it.
SELECT pg_current_snapshot()::text AS snapshot, (pg_current_wal_insert_lsn() - '0/0'::pg_lsn)::bigint AS lsn,
       (pg_current_wal_flush_lsn() - '0/0'::pg_lsn)::bigint AS flushed,
       (extract(epoch FROM clock_timestamp()) * 1000)::bigint AS taken_at_ms,
       current_setting('wal_block_size')::int AS block,
       (SELECT r.oid::bigint FROM pg_publication p JOIN pg_publication_rel r ON r.prpubid = p.oid
         WHERE p.pubname = %(publication)s AND p.pubinsert AND p.pubviaroot
           AND r.prrelid = 'outbox.events'::regclass AND r.prqual IS NULL AND r.prattrs IS NULL) AS publication

-- name: flush
-- What nobody commits (hint bits, a transaction that is still open) may stay unflushed for long, and is not sent before.
SELECT pg_logical_emit_message(false, 'stunity', '', true)

-- name: flush_before_17
-- The same where messages do not flush by themselves, but commits do.
SELECT pg_logical_emit_message(true, 'stunity', '')

-- name: snapshot
-- The snapshot of the running transaction.
SELECT pg_current_snapshot()::text AS snapshot

-- name: publication
-- What identifies the log's membership in the publication.
SELECT r.oid::bigint FROM pg_publication p JOIN pg_publication_rel r ON r.prpubid = p.oid
 WHERE p.pubname = %(publication)s AND p.pubinsert AND p.pubviaroot
   AND r.prrelid = 'outbox.events'::regclass AND r.prqual IS NULL AND r.prattrs IS NULL

-- name: create_publication
-- As in migration outbox_001.
CREATE PUBLICATION {} FOR TABLE outbox.events WITH (publish = 'insert', publish_via_partition_root = true)

-- name: open_round
-- See outbox/migrations/004_relay.sql.
SELECT last_round, snapshot::text, opened, (extract(epoch FROM clock_timestamp()) * 1000)::bigint
  FROM outbox.relay_open_round(%(epoch)s, %(fence)s)

-- name: wake_writers
-- See outbox.relay_wakes.
SELECT outbox.relay_wakes()

-- name: sleep
-- See outbox.relay_sleeps.
SELECT outbox.relay_sleeps()

-- name: rounds
-- Kept rounds, oldest first.
SELECT round, snapshot::text FROM outbox.relay_rounds WHERE epoch = %(epoch)s ORDER BY round

-- name: drop_rounds
-- The round that stays is the base of the next.
DELETE FROM outbox.relay_rounds WHERE epoch = %(epoch)s AND round < %(confirmed)s

-- name: parameters
-- COPY takes no parameters: the statement reads them from settings that end with the transaction. Text is printed as
-- the walsender prints it, and the plan goes by the index whatever the statistics of a new day say.
SELECT set_config('stunity.since', %(since)s, true), set_config('stunity.upto', %(upto)s, true),
       set_config('stunity.epoch', %(epoch)s, true), set_config('stunity.after', %(after)s, true),
       set_config('stunity.limit', %(limit)s, true),
       set_config('DateStyle', 'ISO, MDY', true), set_config('enable_seqscan', 'off', true),
       set_config('jit', 'off', true)

-- name: copy_round
-- What a round consists of.
COPY (
    SELECT e.id::text, e.xid::text, (e.occurred_at AT TIME ZONE 'UTC')::text || '+00', e.topic, e.type, e.key,
           e.data::text, e.headers::text
      FROM outbox.events e
     WHERE (   (e.xid >= pg_snapshot_xmax(current_setting('stunity.since')::pg_snapshot)
                AND e.xid < pg_snapshot_xmax(current_setting('stunity.upto')::pg_snapshot))
            OR e.xid = ANY (ARRAY(SELECT pg_snapshot_xip(current_setting('stunity.since')::pg_snapshot))))
       AND pg_visible_in_snapshot(e.xid, current_setting('stunity.upto')::pg_snapshot)
       AND e.id >= outbox.settled_below(current_setting('stunity.epoch')::int)
     ORDER BY e.id
) TO STDOUT (FORMAT binary)

-- name: copy_fill
-- A slice of the fill of a new epoch.
COPY (
    SELECT e.id::text, e.xid::text, (e.occurred_at AT TIME ZONE 'UTC')::text || '+00', e.topic, e.type, e.key,
           e.data::text, e.headers::text
      FROM outbox.log_events(nullif(current_setting('stunity.since'), '')::pg_snapshot,
                             current_setting('stunity.epoch')::int, current_setting('stunity.upto')::pg_snapshot,
                             NULL, current_setting('stunity.after')::bigint, current_setting('stunity.limit')::int) e
) TO STDOUT (FORMAT binary)

-- name: slot
-- One of our slots: usable, lost, in use, and for how long its reader has been silent.
SELECT s.active_pid, coalesce(s.wal_status = 'lost', false) AS lost,
       (s.confirmed_flush_lsn - '0/0'::pg_lsn)::bigint AS confirmed,
       greatest(pg_current_wal_lsn() - s.restart_lsn, 0)::bigint AS retained, s.safe_wal_size AS headroom,
       extract(epoch FROM r.reply_time)::float8 AS said_at
  FROM pg_replication_slots s LEFT JOIN pg_stat_replication r ON r.pid = s.active_pid
 WHERE s.slot_name = %(slot)s AND s.slot_type = 'logical' AND s.database = current_database()

-- name: end_holder
-- The reader of a slot that has been silent for too long.
SELECT pg_terminate_backend(%(pid)s)

-- name: leftover_slots
-- Slots of ours that no epoch needs any more.
SELECT slot_name FROM pg_replication_slots
 WHERE slot_name LIKE %(pattern)s AND slot_name <> %(keep)s AND NOT active AND database = current_database()

-- name: drop_slot
-- Gives its WAL back.
SELECT pg_drop_replication_slot(%(slot)s)

-- name: may_replicate
-- Whether wal mode is possible at all.
SELECT current_setting('wal_level') = 'logical' AS logical,
       EXISTS (SELECT FROM pg_publication_tables WHERE pubname = %(publication)s AND schemaname = 'outbox') AS published,
       current_setting('max_replication_slots')::int > (SELECT count(*) FROM pg_replication_slots) AS slot_free
