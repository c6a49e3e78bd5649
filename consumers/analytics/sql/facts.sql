-- The three fact tables. Time comes first in their keys as well: facts come nearly in order, so a new one is put at the
-- end of the index, where the last one was, and the key serves as the index by time. {partitioning} is `PARTITION BY RANGE (time)` on native partitions, empty for hypertables.
CREATE TABLE {schema}.post_views_ts (
    time timestamptz NOT NULL,
    fact_id text NOT NULL,
    post_id text NOT NULL,
    viewer_id text,
    school_id text,
    source text NOT NULL,
    duration_s int,
    weight int NOT NULL DEFAULT 1,
    PRIMARY KEY (time, fact_id)
) {partitioning};
CREATE INDEX post_views_ts_post ON {schema}.post_views_ts (post_id, time DESC);
CREATE INDEX post_views_ts_viewer ON {schema}.post_views_ts (viewer_id) WHERE viewer_id IS NOT NULL;

CREATE TABLE {schema}.engagement_ts (
    time timestamptz NOT NULL,
    fact_id text NOT NULL,
    post_id text NOT NULL,
    user_id text,
    school_id text,
    kind text NOT NULL,
    PRIMARY KEY (time, fact_id)
) {partitioning};
CREATE INDEX engagement_ts_post ON {schema}.engagement_ts (post_id, time DESC);
CREATE INDEX engagement_ts_user ON {schema}.engagement_ts (user_id);

CREATE TABLE {schema}.school_activity_ts (
    time timestamptz NOT NULL,
    fact_id text NOT NULL,
    school_id text,
    user_id text,
    post_id text,
    kind text NOT NULL,
    PRIMARY KEY (time, fact_id)
) {partitioning};
CREATE INDEX school_activity_ts_school ON {schema}.school_activity_ts (school_id, time DESC);
CREATE INDEX school_activity_ts_post ON {schema}.school_activity_ts (post_id);
CREATE INDEX school_activity_ts_user ON {schema}.school_activity_ts (user_id);
