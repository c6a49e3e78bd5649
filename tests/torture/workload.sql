-- Tables of the torture workload. Every event carries the version of its key, counted under the key's row lock: so the
-- right content of a stream is known without looking at ids, xids or positions. Per key it is 1, 2, 3, … up to `v`.

CREATE TABLE torture_versions (topic text, key text, v bigint NOT NULL, PRIMARY KEY (topic, key));

CREATE FUNCTION torture_event(topic text, key text, size int DEFAULT 0) RETURNS bigint LANGUAGE plpgsql AS $$
DECLARE
    version bigint;
BEGIN
    INSERT INTO torture_versions AS t VALUES (torture_event.topic, torture_event.key, 1)
    ON CONFLICT ON CONSTRAINT torture_versions_pkey DO UPDATE SET v = t.v + 1 RETURNING v INTO version;
    RETURN outbox.emit(torture_event.topic, replace(torture_event.topic, 'engagement', 'like') || '.updated',
                       torture_event.key,
                       jsonb_build_object('v', version, 'text', repeat('ខ', size)));
END
$$;

CREATE FUNCTION torture_changed() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM torture_event(TG_ARGV[0], coalesce(NEW.id, OLD.id));
    RETURN NULL;
END
$$;

-- Deleting a parent writes one event per child.
CREATE TABLE torture_parents (id int PRIMARY KEY);
CREATE TABLE torture_children (id text PRIMARY KEY, parent int REFERENCES torture_parents ON DELETE CASCADE);
CREATE TRIGGER changed AFTER INSERT OR UPDATE OR DELETE ON torture_children
    FOR EACH ROW EXECUTE FUNCTION torture_changed('course');

-- Its events are written by the commit itself.
CREATE TABLE torture_deferred (id text PRIMARY KEY, n int NOT NULL DEFAULT 0);
CREATE CONSTRAINT TRIGGER changed AFTER INSERT OR UPDATE ON torture_deferred DEFERRABLE INITIALLY DEFERRED
    FOR EACH ROW EXECUTE FUNCTION torture_changed('club');

-- WAL that is none of the relay's business.
CREATE TABLE torture_noise (v text);
