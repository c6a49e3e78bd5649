-- What TimescaleDB's own scheduler does under the community licence. A refresh without a beginning only visits what has
-- changed: facts that come late, in whatever year, are counted by the next run even if nobody asked for it.

-- name: refresh
-- Materialise what is older than the current hour or day.
SELECT add_continuous_aggregate_policy('{schema}.post_views_hourly', start_offset => NULL,
           end_offset => interval '1 hour', schedule_interval => interval '1 hour', if_not_exists => true),
       add_continuous_aggregate_policy('{schema}.engagement_hourly', start_offset => NULL,
           end_offset => interval '1 hour', schedule_interval => interval '1 hour', if_not_exists => true),
       add_continuous_aggregate_policy('{schema}.school_activity_hourly', start_offset => NULL,
           end_offset => interval '1 hour', schedule_interval => interval '1 hour', if_not_exists => true),
       add_continuous_aggregate_policy('{schema}.post_views_daily', start_offset => NULL,
           end_offset => interval '1 day', schedule_interval => interval '6 hours', if_not_exists => true)

-- name: columnstore
-- Facts of a month ago are kept by column, a fraction of the size; they can still be added to, changed and erased.
ALTER TABLE {schema}.post_views_ts SET (timescaledb.compress, timescaledb.compress_segmentby = 'post_id',
    timescaledb.compress_orderby = 'time DESC');
SELECT add_compression_policy('{schema}.post_views_ts', compress_after => interval '35 days', if_not_exists => true)

-- name: no_retention
-- Before another length is set, or none.
SELECT remove_retention_policy(('{schema}.' || name)::regclass, if_exists => true)
  FROM unnest(ARRAY['post_views_ts', 'engagement_ts', 'school_activity_ts', 'post_views_hourly', 'post_views_daily',
                    'engagement_hourly', 'school_activity_hourly']) AS name

-- name: retention
-- Facts and roll-ups go together, whole chunks at a time.
SELECT add_retention_policy(('{schema}.' || name)::regclass, make_interval(days => %(days)s))
  FROM unnest(ARRAY['post_views_ts', 'engagement_ts', 'school_activity_ts', 'post_views_hourly', 'post_views_daily',
                    'engagement_hourly', 'school_activity_hourly']) AS name
