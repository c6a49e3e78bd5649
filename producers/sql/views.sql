-- Statements of producers/views.py.

-- name: record
-- Views of several posts by one viewer: parallel arrays posts, durations, sources, weights, one entry per post.
-- Posts are locked in id order, so that two batches never wait for each other in a circle.
WITH wanted AS (
    SELECT * FROM unnest(%(posts)s::text[], %(durations)s::integer[], %(sources)s::text[], %(weights)s::integer[])
        AS w (post, duration, source, weight)
), accepted AS MATERIALIZED (
    SELECT p.id FROM posts p JOIN users a ON a.id = p."authorId"
     WHERE p.id = ANY (%(posts)s::text[]) AND {POST_VISIBLE}
     ORDER BY p.id FOR NO KEY UPDATE OF p
), this_hour AS (
    SELECT date_trunc('hour', {UTC_NOW}) AS began
), counted AS (
    INSERT INTO post_views (id, "postId", "userId", "viewedAt", duration, source)
    SELECT 'v' || md5(concat_ws('|', w.post, %(viewer)s::text, to_char(h.began, 'YYYYMMDDHH24'))),
           w.post, %(viewer)s, {UTC_NOW}, w.duration, w.source
      FROM wanted w JOIN accepted ON accepted.id = w.post CROSS JOIN this_hour h
     WHERE NOT EXISTS (SELECT FROM post_views v
                        WHERE v."postId" = w.post AND v."userId" = %(viewer)s AND v."viewedAt" >= h.began)
    ON CONFLICT (id) DO NOTHING
    RETURNING "postId"
), counters AS (
    UPDATE posts p SET "viewsCount" = p."viewsCount" + w.weight, "updatedAt" = {UTC_NOW}
      FROM wanted w JOIN counted ON counted."postId" = w.post
     WHERE p.id = w.post
)
SELECT (SELECT count(*) FROM accepted)::integer AS accepted, (SELECT count(*) FROM counted)::integer AS counted

-- name: lengthen
-- Add seconds to the viewer's newest view of a post within this clock hour.
UPDATE post_views SET duration = least(coalesce(duration, 0) + %(seconds)s, %(max_seconds)s)
 WHERE id = (SELECT id FROM post_views
              WHERE "postId" = %(post)s AND "userId" = %(viewer)s AND "viewedAt" >= date_trunc('hour', {UTC_NOW})
              ORDER BY "viewedAt" DESC LIMIT 1)
