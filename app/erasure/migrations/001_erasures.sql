-- One row per erased person. `subject` is a hash: who knows the id can ask whether it was erased, nobody can read it.
CREATE SCHEMA IF NOT EXISTS stunity;
CREATE TABLE stunity.erasures (
    id          bigint      GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    subject     bytea       NOT NULL UNIQUE,
    asked_by    text        NOT NULL,
    asked_at    timestamptz NOT NULL DEFAULT clock_timestamp(),
    attempts    int         NOT NULL DEFAULT 1,
    removed     jsonb       NOT NULL DEFAULT '{}',  -- step -> how many rows, entries, documents
    finished_at timestamptz
);
COMMENT ON TABLE stunity.erasures IS 'Audit of erasures. subject = sha256 of the id; no personal data.';
