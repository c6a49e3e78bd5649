-- Roll-ups as tables that the consumer keeps: native partitions and the Apache edition.
-- Same names, columns and types as the continuous aggregates of rollups_continuous.sql.
CREATE TABLE {schema}.post_views_hourly (
    hour timestamptz NOT NULL,
    post_id text NOT NULL,
    view_count int NOT NULL,
    unique_viewers int NOT NULL,
    duration_sum bigint NOT NULL,
    duration_count int NOT NULL,
    from_feed int NOT NULL,
    from_post_detail int NOT NULL,
    from_search int NOT NULL,
    from_profile int NOT NULL,
    from_direct int NOT NULL,
    from_share int NOT NULL,
    from_other int NOT NULL,
    PRIMARY KEY (post_id, hour)
) WITH (fillfactor = 80);
CREATE INDEX post_views_hourly_hour ON {schema}.post_views_hourly USING brin (hour);
CREATE TABLE {schema}.post_views_daily (
    day timestamptz NOT NULL,
    post_id text NOT NULL,
    view_count int NOT NULL,
    unique_viewers int NOT NULL,
    duration_sum bigint NOT NULL,
    duration_count int NOT NULL,
    from_feed int NOT NULL,
    from_post_detail int NOT NULL,
    from_search int NOT NULL,
    from_profile int NOT NULL,
    from_direct int NOT NULL,
    from_share int NOT NULL,
    from_other int NOT NULL,
    PRIMARY KEY (post_id, day)
) WITH (fillfactor = 80);
CREATE INDEX post_views_daily_day ON {schema}.post_views_daily USING brin (day);
CREATE TABLE {schema}.engagement_hourly (
    hour timestamptz NOT NULL,
    post_id text NOT NULL,
    kind text NOT NULL,
    count int NOT NULL,
    PRIMARY KEY (post_id, hour, kind)
);
CREATE INDEX engagement_hourly_hour ON {schema}.engagement_hourly USING brin (hour);
CREATE TABLE {schema}.school_activity_hourly (
    hour timestamptz NOT NULL,
    school_id text NOT NULL,
    kind text NOT NULL,
    count int NOT NULL,
    PRIMARY KEY (school_id, hour, kind)
);
