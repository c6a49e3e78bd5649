-- What live state PostgreSQL keeps itself: revoked tokens for certain, presence while there is no Redis.
CREATE SCHEMA IF NOT EXISTS live;

-- The hash of a token's signed part, never the token. Rows are of no use once the token has expired.
CREATE TABLE live.revoked_tokens (
    token_hash text        PRIMARY KEY,
    user_id    text        NOT NULL,
    expires_at timestamptz NOT NULL,
    revoked_at timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX revoked_tokens_expiry ON live.revoked_tokens (expires_at);

-- Rewritten at every heartbeat and worth nothing after half a minute: not logged, and with room for updates in place.
CREATE UNLOGGED TABLE live.presence (
    user_id text        PRIMARY KEY,
    seen_at timestamptz NOT NULL
) WITH (fillfactor = 50);
