-- Roll-ups where TimescaleDB does not keep them: native partitions and the Apache edition. Sums of views stand in tables
-- for busy days alone (busy.py): a day has its row in post_people if and only if its sums are here. What the quiet days
-- amount to is counted from their few facts. The views below put both together, with the names, columns and types of
-- the continuous aggregates of rollups_continuous.sql.
CREATE TABLE {schema}.busy_hours (
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
CREATE INDEX busy_hours_hour ON {schema}.busy_hours USING brin (hour);
CREATE TABLE {schema}.busy_days (
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
CREATE INDEX busy_days_day ON {schema}.busy_days USING brin (day);
CREATE VIEW {schema}.post_views_hourly AS
SELECT * FROM {schema}.busy_hours
UNION ALL
SELECT {plain_hour}, post_id, sum(weight)::int, count(DISTINCT viewer_id)::int,
       coalesce(sum(duration_s), 0)::bigint, count(duration_s)::int,
       {by_source}
  FROM {schema}.post_views_ts v
 WHERE NOT EXISTS (SELECT FROM {schema}.post_people b WHERE b.post_id = v.post_id AND b.day = {plain_day})
 GROUP BY 1, 2;
CREATE VIEW {schema}.post_views_daily AS
SELECT * FROM {schema}.busy_days
UNION ALL
SELECT {plain_day}, post_id, sum(weight)::int, count(DISTINCT viewer_id)::int,
       coalesce(sum(duration_s), 0)::bigint, count(duration_s)::int,
       {by_source}
  FROM {schema}.post_views_ts v
 WHERE NOT EXISTS (SELECT FROM {schema}.post_people b WHERE b.post_id = v.post_id AND b.day = {plain_day})
 GROUP BY 1, 2;
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
