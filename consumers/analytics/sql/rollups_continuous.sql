-- Roll-ups that TimescaleDB keeps itself (community licence). Real-time: what is not materialised yet is counted from
-- the facts. {hour} and {day} are time_bucket() of the generation's zone; policies are in policies.sql.
CREATE MATERIALIZED VIEW {schema}.post_views_hourly
    WITH (timescaledb.continuous, timescaledb.materialized_only = false) AS
SELECT {hour} AS hour, post_id, sum(weight)::int AS view_count, count(DISTINCT viewer_id)::int AS unique_viewers,
       coalesce(sum(duration_s), 0)::bigint AS duration_sum, count(duration_s)::int AS duration_count,
       {by_source}
  FROM {schema}.post_views_ts GROUP BY 1, 2 WITH NO DATA;

CREATE MATERIALIZED VIEW {schema}.post_views_daily
    WITH (timescaledb.continuous, timescaledb.materialized_only = false) AS
SELECT {day} AS day, post_id, sum(weight)::int AS view_count, count(DISTINCT viewer_id)::int AS unique_viewers,
       coalesce(sum(duration_s), 0)::bigint AS duration_sum, count(duration_s)::int AS duration_count,
       {by_source}
  FROM {schema}.post_views_ts GROUP BY 1, 2 WITH NO DATA;

CREATE MATERIALIZED VIEW {schema}.engagement_hourly
    WITH (timescaledb.continuous, timescaledb.materialized_only = false) AS
SELECT {hour} AS hour, post_id, kind, count(*)::int AS count
  FROM {schema}.engagement_ts GROUP BY 1, 2, 3 WITH NO DATA;

CREATE MATERIALIZED VIEW {schema}.school_activity_hourly
    WITH (timescaledb.continuous, timescaledb.materialized_only = false) AS
SELECT {hour} AS hour, school_id, kind, count(*)::int AS count
  FROM {schema}.school_activity_ts WHERE school_id IS NOT NULL GROUP BY 1, 2, 3 WITH NO DATA;
