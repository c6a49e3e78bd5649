-- Least-privilege roles, one per kind of process. Run after `stunity migrate`, as a superuser or as the owner of the
-- database with CREATEROLE; again after every release and after `capture install` (it is idempotent):
--
--     psql "$DATABASE_URL" -v ON_ERROR_STOP=1 -f deploy/postgres/roles.sql
--
-- The roles cannot log in. Each process gets a login of its own that is a member of one of them:
--
--     CREATE ROLE relay_1 LOGIN REPLICATION PASSWORD '…' IN ROLE stunity_relay;    -- REPLICATION for wal mode only
--     CREATE ROLE api_1 LOGIN PASSWORD '…' IN ROLE stunity_api;
--
-- Attributes are not inherited: where upstream's tables have row security, the logins of consumers and API need
-- BYPASSRLS themselves (they apply the visibility rules of runtime/access.py).
--
--     stunity_migrator   owns the log; `migrate`, `capture`
--     stunity_writer     an application that writes rows, or calls outbox.emit
--     stunity_relay      reads the log, keeps its own state; sees no table of upstream
--     stunity_scheduler  counts counters, makes and retires partitions
--     stunity_consumer   owns the views (engine, embeddings, analytics, live, the job queue); reads the truth
--     stunity_api        reads views and truth; writes what a stunity_writer may
--
-- Nobody but the owner of a database reads a password hash, token, e-mail address or phone number.

DO $$
DECLARE
    role text;
BEGIN
    FOREACH role IN ARRAY ARRAY['migrator', 'writer', 'relay', 'scheduler', 'consumer', 'api'] LOOP
        IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'stunity_' || role) THEN
            EXECUTE format('CREATE ROLE %I NOLOGIN', 'stunity_' || role);
        END IF;
    END LOOP;
    IF (SELECT rolsuper FROM pg_roles WHERE rolname = current_user) THEN
        ALTER ROLE stunity_migrator BYPASSRLS; -- so that truth_events and TRUNCATE tell every row
    END IF;
    EXECUTE format('GRANT CREATE, CONNECT ON DATABASE %I TO stunity_migrator, stunity_consumer', current_database());
END
$$;

GRANT stunity_writer TO stunity_api;
GRANT stunity_consumer TO stunity_migrator; -- migrations change the views' tables
GRANT USAGE ON SCHEMA public TO stunity_migrator, stunity_writer, stunity_scheduler, stunity_consumer, stunity_api;

-- Whose objects are whose.
DO $$
DECLARE
    item  record;
    owner text;
BEGIN
    FOR item IN
        SELECT n.nspname AS schema FROM pg_namespace n
         WHERE n.nspname IN ('outbox', 'stunity', 'engine', 'embeddings', 'analytics', 'live', 'dramatiq')
    LOOP
        owner := CASE WHEN item.schema IN ('outbox', 'stunity') THEN 'stunity_migrator' ELSE 'stunity_consumer' END;
        EXECUTE format('ALTER SCHEMA %I OWNER TO %I', item.schema, owner);
    END LOOP;
    FOR item IN -- a sequence of a column follows its table
        SELECT n.nspname AS schema, c.relname AS name,
               CASE c.relkind WHEN 'v' THEN 'VIEW' WHEN 'm' THEN 'MATERIALIZED VIEW' WHEN 'S' THEN 'SEQUENCE' ELSE 'TABLE' END AS kind
          FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
         WHERE n.nspname IN ('outbox', 'stunity', 'engine', 'embeddings', 'analytics', 'live', 'dramatiq')
           AND c.relkind IN ('r', 'p', 'v', 'm', 'S')
           AND NOT EXISTS (SELECT FROM pg_depend d WHERE d.objid = c.oid AND d.classid = 'pg_class'::regclass
                              AND d.deptype IN ('a', 'i', 'e') AND c.relkind <> 'p' AND NOT c.relispartition)
    LOOP
        owner := CASE WHEN item.schema IN ('outbox', 'stunity') THEN 'stunity_migrator' ELSE 'stunity_consumer' END;
        EXECUTE format('ALTER %s %I.%I OWNER TO %I', item.kind, item.schema, item.name, owner);
    END LOOP;
    FOR item IN
        SELECT n.nspname AS schema, p.oid::regprocedure AS signature
          FROM pg_proc p JOIN pg_namespace n ON n.oid = p.pronamespace
         WHERE n.nspname IN ('outbox', 'engine', 'embeddings', 'analytics', 'live', 'dramatiq')
           AND NOT EXISTS (SELECT FROM pg_depend d WHERE d.objid = p.oid AND d.deptype = 'e')
    LOOP
        owner := CASE WHEN item.schema = 'outbox' THEN 'stunity_migrator' ELSE 'stunity_consumer' END;
        EXECUTE format('ALTER ROUTINE %s OWNER TO %I', item.signature, owner);
    END LOOP;
END
$$;

-- The log.
GRANT USAGE ON SCHEMA outbox TO stunity_writer, stunity_relay, stunity_scheduler, stunity_consumer, stunity_api;
GRANT EXECUTE ON FUNCTION outbox.emit TO stunity_writer, stunity_scheduler;
GRANT SELECT ON outbox.epochs TO stunity_writer; -- outbox.position()

GRANT SELECT ON outbox.events, outbox.settings TO stunity_relay;
GRANT SELECT, INSERT, UPDATE ON outbox.epochs TO stunity_relay;
GRANT USAGE ON SEQUENCE outbox.relay_fence TO stunity_relay;
GRANT EXECUTE ON FUNCTION outbox.relay_sleeps, outbox.relay_wakes, outbox.relay_open_round, outbox.relay_floor,
    outbox.log_events TO stunity_relay;

GRANT SELECT ON outbox.events, outbox.epochs, outbox.settings TO stunity_scheduler;
GRANT SELECT, INSERT, UPDATE, DELETE ON outbox.jobs, outbox.post_counters, outbox.counter_runs TO stunity_scheduler;
GRANT SELECT, INSERT, UPDATE, DELETE ON outbox.archives, outbox.held_days TO stunity_scheduler, stunity_consumer;
GRANT SELECT ON outbox.retired_days TO stunity_scheduler, stunity_consumer, stunity_api;
GRANT SELECT ON outbox.archives, outbox.held_days TO stunity_api;
GRANT EXECUTE ON FUNCTION outbox.add_partition, outbox.touched TO stunity_scheduler;
-- Retention: by the scheduler, or by the worker where facts are archived.
GRANT EXECUTE ON FUNCTION outbox.expired_days, outbox.expired_net_days, outbox.day_extent, outbox.unseen_of_day,
    outbox.retention, outbox.retire_day, outbox.prune_net, outbox.detached_days, outbox.detached_events,
    outbox.drop_detached, outbox.log_cap, outbox.day_sizes, outbox.own_needs, outbox.prune_today
    TO stunity_scheduler, stunity_consumer;
GRANT EXECUTE ON FUNCTION outbox.log_reaches, outbox.log_days TO stunity_consumer, stunity_api;

GRANT SELECT ON outbox.events, outbox.epochs, outbox.fills, outbox.sources, outbox.settings, outbox.capture_gaps,
    outbox.jobs TO stunity_consumer, stunity_api;
GRANT EXECUTE ON FUNCTION outbox.log_events, outbox.oldest_unapplied, outbox.truth_sources, outbox.truth_events
    TO stunity_consumer, stunity_api;

DO $$
DECLARE
    item record;
BEGIN
    -- What the relay remembers is its own; the others may look.
    FOR item IN
        SELECT c.relname AS name FROM pg_class c
         WHERE c.relnamespace = 'outbox'::regnamespace AND c.relkind = 'r' AND c.relname LIKE 'relay\_%'
    LOOP
        EXECUTE format('GRANT SELECT, INSERT, UPDATE, DELETE ON outbox.%I TO stunity_relay', item.name);
        EXECUTE format('GRANT SELECT ON outbox.%I TO stunity_consumer, stunity_api', item.name);
    END LOOP;
    -- Views: the API reads them.
    FOR item IN
        SELECT n.nspname AS name FROM pg_namespace n WHERE n.nspname IN ('engine', 'embeddings', 'analytics', 'live', 'dramatiq')
    LOOP
        EXECUTE format('GRANT USAGE ON SCHEMA %I TO stunity_api', item.name);
        EXECUTE format('GRANT SELECT ON ALL TABLES IN SCHEMA %I TO stunity_api', item.name);
        EXECUTE format('ALTER DEFAULT PRIVILEGES FOR ROLE stunity_consumer IN SCHEMA %I GRANT SELECT ON TABLES TO stunity_api',
                       item.name);
    END LOOP;
    -- Retention asks who still needs the log.
    IF to_regnamespace('engine') IS NOT NULL THEN
        GRANT USAGE ON SCHEMA engine TO stunity_scheduler;
        GRANT SELECT ON engine.checkpoints, engine.jobs TO stunity_scheduler;
    END IF;
    -- Presence, logouts, games: written by requests.
    IF to_regnamespace('live') IS NOT NULL THEN
        GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA live TO stunity_api;
    END IF;
    -- A reader that waits for a position leaves word for the relay and the engine; jobs are asked for by inserting.
    IF to_regclass('dramatiq.queue') IS NOT NULL THEN
        GRANT INSERT ON dramatiq.queue TO stunity_api;
    END IF;
END
$$;

-- Upstream's tables: every column but the secret ones. Nothing is revoked from upstream's own roles.
DO $$
DECLARE
    secret  CONSTANT text[] := ARRAY['password', 'lastPasswordHashes', 'passwordResetToken', 'passwordResetExpiry',
        'emailVerificationToken', 'emailVerificationExpiry', 'ssoAccessToken', 'ssoId', 'permissions', 'pendingLinkData',
        'email', 'phone', 'ipAddress'];
    truth   CONSTANT text[] := ARRAY['users', 'schools', 'posts', 'follows', 'user_blocks', 'likes', 'comments', 'bookmarks',
        'post_views', 'study_clubs', 'club_members', 'club_materials', 'courses', 'enrollments', 'quizzes', 'quiz_attempts',
        'classes', 'students', 'teachers', 'student_classes', 'teacher_classes', 'school_memberships', 'user_post_feedback'];
    written CONSTANT text[] := ARRAY['posts', 'follows', 'user_blocks', 'likes', 'comments', 'bookmarks', 'post_views',
        'study_clubs', 'club_members', 'courses', 'enrollments', 'quiz_attempts'];
    item    record;
BEGIN
    FOR item IN
        SELECT c.relname AS name, string_agg(format('%I', a.attname), ', ') FILTER (WHERE a.attname <> ALL (secret)) AS plain
          FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
         WHERE c.relnamespace = 'public'::regnamespace AND c.relname = ANY (truth) AND c.relkind IN ('r', 'p')
         GROUP BY c.relname
    LOOP
        EXECUTE format('GRANT SELECT (%s) ON public.%I TO stunity_consumer, stunity_api', item.plain, item.name);
        EXECUTE format('GRANT SELECT (%s), TRIGGER ON public.%I TO stunity_migrator', item.plain, item.name);
        IF item.name = ANY (written) THEN
            EXECUTE format('GRANT SELECT (%s), INSERT, UPDATE, DELETE ON public.%I TO stunity_writer', item.plain, item.name);
        END IF;
        IF item.name IN ('posts', 'likes', 'comments', 'bookmarks', 'post_views') THEN
            EXECUTE format('GRANT SELECT (%s) ON public.%I TO stunity_scheduler', item.plain, item.name);
        END IF;
    END LOOP;
    IF to_regclass('public.users') IS NOT NULL THEN
        -- A heartbeat.
        GRANT UPDATE ("privacySettings", "updatedAt") ON public.users TO stunity_writer;
        GRANT SELECT (id, "privacySettings") ON public.users TO stunity_writer;
    END IF;
END
$$;
