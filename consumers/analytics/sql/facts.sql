-- The three fact tables. {partitioning} is `PARTITION BY RANGE (time)` on native partitions, empty for hypertables.
CREATE TABLE IF NOT EXISTS analytics.post_views_ts (
    time timestamptz NOT NULL,
    fact_id text NOT NULL,
    post_id text NOT NULL,
    viewer_id text,
    school_id text,
    source text NOT NULL,
    duration_s int,
    weight int NOT NULL DEFAULT 1,
    PRIMARY KEY (fact_id, time)
) {partitioning};
CREATE INDEX IF NOT EXISTS post_views_ts_post ON analytics.post_views_ts (post_id, time DESC);
CREATE INDEX IF NOT EXISTS post_views_ts_viewer ON analytics.post_views_ts (viewer_id) WHERE viewer_id IS NOT NULL;

CREATE TABLE IF NOT EXISTS analytics.engagement_ts (
    time timestamptz NOT NULL,
    fact_id text NOT NULL,
    post_id text NOT NULL,
    user_id text,
    school_id text,
    kind text NOT NULL,
    PRIMARY KEY (fact_id, time)
) {partitioning};
CREATE INDEX IF NOT EXISTS engagement_ts_post ON analytics.engagement_ts (post_id, time DESC);
CREATE INDEX IF NOT EXISTS engagement_ts_user ON analytics.engagement_ts (user_id);

CREATE TABLE IF NOT EXISTS analytics.school_activity_ts (
    time timestamptz NOT NULL,
    fact_id text NOT NULL,
    school_id text,
    user_id text,
    post_id text,
    kind text NOT NULL,
    PRIMARY KEY (fact_id, time)
) {partitioning};
CREATE INDEX IF NOT EXISTS school_activity_ts_school ON analytics.school_activity_ts (school_id, time DESC);
CREATE INDEX IF NOT EXISTS school_activity_ts_post ON analytics.school_activity_ts (post_id);
CREATE INDEX IF NOT EXISTS school_activity_ts_user ON analytics.school_activity_ts (user_id);
