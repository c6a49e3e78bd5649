-- A like that is taken back before anybody counts leaves the counts as they were. A view that read the post's row in
-- between, for another reason, holds a like too many; so it matters which posts something was taken back from.

-- Keys of events that `since` (taken in `epoch`) does not see yet: what was touched between two runs.
CREATE FUNCTION outbox.touched(since pg_snapshot, epoch integer, topic text)
RETURNS TABLE (key text, taken_back boolean)
LANGUAGE plpgsql STABLE SET enable_seqscan = off SET jit = off AS $$
#variable_conflict use_column
DECLARE
    settled_then bigint := outbox.settled_below(touched.epoch);
    settled_now  bigint := outbox.settled_below(outbox.current_epoch());
BEGIN
    IF settled_then = settled_now THEN
        RETURN QUERY
            SELECT t.key, bool_or(split_part(t.type, '.', 2) = 'deleted')
              FROM (SELECT e.key, e.type FROM outbox.events e
                     WHERE e.xid >= pg_snapshot_xmax(since) AND e.topic = touched.topic
                    UNION ALL
                    SELECT e.key, e.type FROM outbox.events e
                     WHERE e.xid = ANY (ARRAY(SELECT pg_snapshot_xip(since))) AND e.topic = touched.topic) t
             GROUP BY t.key;
    ELSE -- A restore lies between: xids of two lives cannot be compared, ids can.
        RETURN QUERY
            SELECT e.key, bool_or(split_part(e.type, '.', 2) = 'deleted') FROM outbox.events e
             WHERE e.id >= settled_now AND e.topic = touched.topic GROUP BY e.key;
    END IF;
END
$$;
REVOKE ALL ON FUNCTION outbox.touched FROM PUBLIC;
DROP FUNCTION outbox.touched_keys;
