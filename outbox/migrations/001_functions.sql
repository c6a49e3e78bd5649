-- What other parts, and other languages, call by name.

CREATE FUNCTION outbox.topics() RETURNS text[] LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    SELECT ARRAY['post', 'user', 'follow', 'block', 'engagement', 'view', 'club', 'course', 'quiz', 'session']
$$;

-- Headers of the running transaction: SELECT set_config('stunity.traceparent', '00-…', true), likewise stunity.actor.
-- Most transactions have none: nothing is built for those. Inlined where it is called.
CREATE FUNCTION outbox.context() RETURNS jsonb LANGUAGE sql STABLE AS $$
    SELECT CASE WHEN concat(current_setting('stunity.traceparent', true), current_setting('stunity.actor', true)) = ''
        THEN '{}'::jsonb
        ELSE jsonb_strip_nulls(jsonb_build_object(
            'traceparent', nullif(current_setting('stunity.traceparent', true), ''),
            'actor', nullif(current_setting('stunity.actor', true), ''))) END
$$;

-- Write one event in the caller's transaction; returns its id. `type` without a version means `.v1`.
CREATE FUNCTION outbox.emit(topic text, type text, key text, data jsonb, headers jsonb DEFAULT '{}')
RETURNS bigint LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    event_id bigint;
BEGIN
    IF emit.topic IS NULL OR emit.topic <> ALL (outbox.topics()) THEN
        RAISE invalid_parameter_value USING
            MESSAGE = format('outbox.emit: unknown topic %L', emit.topic),
            HINT = 'One of: ' || array_to_string(outbox.topics(), ', ');
    ELSIF emit.type IS NULL OR emit.type !~ '^[a-z][a-z_]*\.[a-z][a-z_]*(\.v[1-9][0-9]*)?$' THEN
        RAISE invalid_parameter_value USING
            MESSAGE = format('outbox.emit: bad type %L', emit.type),
            HINT = 'Write it as aggregate.happening or aggregate.happening.v1, for example session.revoked.v1';
    ELSIF emit.key IS NULL OR emit.key = '' OR length(emit.key) > 500 THEN
        RAISE invalid_parameter_value USING
            MESSAGE = format('outbox.emit: the key of %s must be a text of 1 to 500 characters', emit.type),
            HINT = 'The key is the id of the aggregate: events of one key keep their order';
    ELSIF emit.data IS NULL OR jsonb_typeof(emit.data) <> 'object' THEN
        RAISE invalid_parameter_value USING
            MESSAGE = format('outbox.emit: data of %s must be a JSON object, not %s', emit.type,
                             coalesce(jsonb_typeof(emit.data), 'SQL NULL'));
    ELSIF jsonb_typeof(emit.headers) <> 'object' THEN
        RAISE invalid_parameter_value USING
            MESSAGE = format('outbox.emit: headers of %s must be a JSON object, not %s', emit.type,
                             jsonb_typeof(emit.headers));
    END IF;
    IF split_part(emit.type, '.', 3) = '' THEN
        emit.type := emit.type || '.v1';
    END IF;
    INSERT INTO outbox.events (topic, type, key, data, headers)
    VALUES (emit.topic, emit.type, emit.key, emit.data, outbox.context() || coalesce(emit.headers, '{}'))
    RETURNING id INTO event_id;
    IF pg_sequence_last_value('outbox.relay_asleep') IS NOT NULL THEN
        PERFORM pg_notify('stunity_outbox', '');
    END IF;
    RETURN event_id;
END
$$;

-- Ask writers to NOTIFY stunity_outbox from now on. Transactions that are in flight may have looked before: until
-- every xid that was running after this call has ended, the relay keeps looking by itself.
CREATE FUNCTION outbox.relay_sleeps() RETURNS void
LANGUAGE sql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
    SELECT setval('outbox.relay_asleep', 1, true)
$$;

-- Writers need not NOTIFY any more: at every commit that would cost them two thirds of their throughput.
CREATE FUNCTION outbox.relay_wakes() RETURNS void
LANGUAGE sql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
    SELECT setval('outbox.relay_asleep', 1, false)
$$;

-- The newest epoch; 0 before the first relay.
CREATE FUNCTION outbox.current_epoch() RETURNS integer LANGUAGE sql STABLE AS $$
    SELECT coalesce(max(epoch), 0) FROM outbox.epochs
$$;

-- '<epoch>.<xid8>' of the running transaction: what a write returns and a read may wait for.
CREATE FUNCTION outbox.position() RETURNS text LANGUAGE sql VOLATILE AS $$
    SELECT outbox.current_epoch() || '.' || pg_current_xact_id()
$$;

-- Ids below this one count as committed for a snapshot taken in `epoch`.
CREATE FUNCTION outbox.settled_below(epoch integer) RETURNS bigint LANGUAGE sql STABLE AS $$
    SELECT coalesce(max(e.settled_below_id), 0) FROM outbox.epochs e WHERE e.epoch <= settled_below.epoch
$$;

-- When the oldest event that snapshot `s` does not see was written; null when it sees everything. "Oldest" goes by
-- xid (an index lookup, whatever the statistics say); looking at a hundred of them evens out transactions that wrote
-- long after they began.
CREATE FUNCTION outbox.oldest_unapplied(s pg_snapshot) RETURNS timestamptz LANGUAGE plpgsql STABLE
SET enable_seqscan = off SET enable_sort = off SET jit = off AS $$
DECLARE
    floor bigint := outbox.settled_below(outbox.current_epoch());
    top   xid8 := pg_snapshot_xmax(s);
    open  xid8[] := ARRAY(SELECT pg_snapshot_xip(s));
    newer timestamptz;
    late  timestamptz;
BEGIN
    SELECT min(candidate.occurred_at) INTO newer FROM (
        SELECT e.occurred_at FROM outbox.events e WHERE e.xid >= top AND e.id >= floor ORDER BY e.xid LIMIT 100) candidate;
    IF open <> '{}' THEN
        SELECT min(candidate.occurred_at) INTO late FROM (
            SELECT e.occurred_at FROM outbox.events e WHERE e.xid = ANY (open) AND e.id >= floor LIMIT 100) candidate;
    END IF;
    RETURN least(newer, late);
END
$$;

-- The log between two snapshots: rows that `upto` sees and `since` (taken in `epoch`; null = from the beginning) does
-- not, in id order, `max` rows after `after_id`. A restore gives rows that carry xids of another life: below its
-- settled_below_id they are committed, from there on they are newer than any snapshot of an earlier epoch.
CREATE FUNCTION outbox.log_events(
    since pg_snapshot, epoch integer, upto pg_snapshot, topics text[], after_id bigint, max integer)
RETURNS TABLE (id bigint, xid xid8, occurred_at timestamptz, topic text, type text, key text, data jsonb, headers jsonb)
LANGUAGE plpgsql STABLE SET enable_seqscan = off SET enable_bitmapscan = off SET enable_sort = off SET jit = off AS $$
#variable_conflict use_column
DECLARE
    upto_floor    bigint := outbox.settled_below(outbox.current_epoch());
    since_floor   bigint := outbox.settled_below(log_events.epoch);
    since_ceiling bigint;
    start_id      bigint := coalesce(log_events.after_id, 0);
BEGIN
    SELECT min(e.settled_below_id) INTO since_ceiling FROM outbox.epochs e
     WHERE e.epoch > log_events.epoch AND e.settled_below_id > since_floor;
    IF start_id = 0 AND log_events.since IS NOT NULL AND since_ceiling IS NULL THEN
        -- Not at the oldest day: at the lowest id that `since` does not see. OFFSET 0 keeps the planner at the xids.
        SELECT coalesce(min(unseen.id) - 1, 0) INTO start_id FROM (
            SELECT e.id FROM outbox.events e WHERE e.xid >= pg_snapshot_xmax(log_events.since)
            UNION ALL
            SELECT e.id FROM outbox.events e WHERE e.xid = ANY (ARRAY(SELECT pg_snapshot_xip(log_events.since)))
            OFFSET 0) unseen;
    END IF;
    RETURN QUERY
    SELECT e.id, e.xid, e.occurred_at, e.topic, e.type, e.key, e.data, e.headers
      FROM outbox.events e
     WHERE e.id > start_id
       AND (log_events.topics IS NULL OR e.topic = ANY (log_events.topics))
       AND (e.id < upto_floor OR pg_visible_in_snapshot(e.xid, log_events.upto))
       AND (log_events.since IS NULL OR e.id >= since_ceiling
            OR (e.id >= since_floor AND NOT pg_visible_in_snapshot(e.xid, log_events.since)))
     ORDER BY e.id
     LIMIT log_events.max;
END
$$;

REVOKE ALL ON FUNCTION outbox.emit, outbox.relay_sleeps, outbox.relay_wakes, outbox.log_events,
    outbox.oldest_unapplied FROM PUBLIC;
