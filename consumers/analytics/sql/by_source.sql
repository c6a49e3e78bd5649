-- {by_source} in other files: views by where they came from.
coalesce(sum(weight) FILTER (WHERE source = 'feed'), 0)::int AS from_feed,
       coalesce(sum(weight) FILTER (WHERE source = 'post_detail'), 0)::int AS from_post_detail,
       coalesce(sum(weight) FILTER (WHERE source = 'search'), 0)::int AS from_search,
       coalesce(sum(weight) FILTER (WHERE source = 'profile'), 0)::int AS from_profile,
       coalesce(sum(weight) FILTER (WHERE source = 'direct'), 0)::int AS from_direct,
       coalesce(sum(weight) FILTER (WHERE source = 'share'), 0)::int AS from_share,
       coalesce(sum(weight) FILTER (WHERE source = 'other'), 0)::int AS from_other
