-- name: for_you
-- The pools of schema.py as they would be filled from the truth, with the same depths; see view.py for the same list.
WITH followed AS (
    SELECT p.id, p."isPinned", p."createdAt"
      FROM unnest(%(follows)s::text[]) AS author (id)
      JOIN users a ON a.id = author.id AND a."isActive" AND a."accountSuspendedAt" IS NULL
     CROSS JOIN LATERAL (SELECT p.id, p."isPinned", p."createdAt" FROM posts p
                          WHERE p."authorId" = author.id AND p.visibility <> 'PRIVATE'
                          ORDER BY p."isPinned" DESC, p."createdAt" DESC, p.id COLLATE "C" DESC
                          LIMIT %(each_follow)s) p
     ORDER BY p."isPinned" DESC, p."createdAt" DESC, p.id COLLATE "C" DESC LIMIT %(followed)s
), class AS (
    SELECT p.id, p."isPinned", p."createdAt"
      FROM unnest(%(classmates)s::text[]) AS author (id)
      JOIN users a ON a.id = author.id AND a."isActive" AND a."accountSuspendedAt" IS NULL
     CROSS JOIN LATERAL (SELECT p.id, p."isPinned", p."createdAt" FROM posts p
                          WHERE p."authorId" = author.id AND p.visibility <> 'PRIVATE'
                          ORDER BY p."isPinned" DESC, p."createdAt" DESC, p.id COLLATE "C" DESC
                          LIMIT %(each_classmate)s) p
     ORDER BY p."isPinned" DESC, p."createdAt" DESC, p.id COLLATE "C" DESC LIMIT %(class)s
), public AS (
    SELECT p.id FROM posts p JOIN users a ON a.id = p."authorId" AND a."isActive" AND a."accountSuspendedAt" IS NULL
     WHERE p.visibility = 'PUBLIC'
     ORDER BY p."isPinned" DESC, p."createdAt" DESC, p.id COLLATE "C" DESC LIMIT %(public)s
), school AS (
    SELECT p.id FROM posts p JOIN users a ON a.id = p."authorId" AND a."isActive" AND a."accountSuspendedAt" IS NULL
     WHERE p."schoolId" = %(school)s AND p.visibility IN ('PUBLIC', 'SCHOOL')
     ORDER BY p."isPinned" DESC, p."createdAt" DESC, p.id COLLATE "C" DESC LIMIT %(school_depth)s
), own AS (
    (SELECT p.id FROM posts p WHERE p."authorId" = %(viewer)s AND p.visibility <> 'PRIVATE'
      ORDER BY p."isPinned" DESC, p."createdAt" DESC, p.id COLLATE "C" DESC LIMIT %(own)s)
    UNION ALL
    (SELECT p.id FROM posts p WHERE p."authorId" = %(viewer)s AND p.visibility = 'PRIVATE'
      ORDER BY p."isPinned" DESC, p."createdAt" DESC, p.id COLLATE "C" DESC LIMIT %(own)s)
), stirring AS MATERIALIZED (
    -- Nothing older can reach the least hot score that counts. Chosen by upstream's columns, scored by counted rows.
    SELECT p.id, p.visibility, p."schoolId",
           ln((3 * p."likesCount" + 5 * p."commentsCount" + 7 * p."sharesCount" + 0.5 * p."viewsCount")::float8)
           + %(decay)s::float8 * extract(epoch FROM p."createdAt")::float8 / 3600 AS hot
      FROM posts p JOIN users a ON a.id = p."authorId" AND a."isActive" AND a."accountSuspendedAt" IS NULL
     WHERE p."createdAt" > timezone('UTC', now()) - make_interval(hours => %(hot_hours)s) AND p.visibility IN ('PUBLIC', 'SCHOOL')
       AND (p.visibility = 'PUBLIC' OR p."schoolId" = %(school)s)
       AND p."likesCount" + p."commentsCount" + p."sharesCount" + p."viewsCount" > 0
       AND least(p."likesCount", p."commentsCount", p."sharesCount", p."viewsCount") >= 0
), hot AS (
    (SELECT id FROM stirring WHERE visibility = 'PUBLIC' AND hot >= %(least_hot)s
      ORDER BY hot DESC, id COLLATE "C" DESC LIMIT %(hot)s)
    UNION ALL
    (SELECT id FROM stirring WHERE "schoolId" = %(school)s AND hot >= %(least_hot)s
      ORDER BY hot DESC, id COLLATE "C" DESC LIMIT %(hot)s)
)
SELECT id FROM followed UNION SELECT id FROM class UNION SELECT id FROM public UNION SELECT id FROM school
 UNION SELECT id FROM own UNION SELECT id FROM hot

-- name: following
-- The newest posts of the people followed.
SELECT p.id
  FROM unnest(%(follows)s::text[]) AS author (id)
  JOIN users a ON a.id = author.id AND a."isActive" AND a."accountSuspendedAt" IS NULL
 CROSS JOIN LATERAL (SELECT p.id, p."isPinned", p."createdAt" FROM posts p
                      WHERE p."authorId" = author.id AND p.visibility <> 'PRIVATE'
                      ORDER BY p."isPinned" DESC, p."createdAt" DESC, p.id COLLATE "C" DESC
                      LIMIT %(each_follow)s) p
 ORDER BY p."isPinned" DESC, p."createdAt" DESC, p.id COLLATE "C" DESC LIMIT %(followed)s

-- name: recent
-- Everything visible, newest first after the pinned, from a place on.
SELECT p.id, p."isPinned" AS pinned,
       CASE WHEN isfinite(p."createdAt") THEN (extract(epoch FROM p."createdAt") * 1000)::bigint ELSE 0 END AS created_ms
  FROM posts p JOIN users a ON a.id = p."authorId"
 WHERE {POST_VISIBLE}
   AND (%(authors)s::text[] IS NULL OR p."authorId" = ANY (%(authors)s::text[]))
   AND (%(from_id)s::text IS NULL
        OR (p."isPinned", p."createdAt", p.id COLLATE "C") < (%(from_pinned)s, %(from_created)s::timestamp, %(from_id)s))
 ORDER BY p."isPinned" DESC, p."createdAt" DESC, p.id COLLATE "C" DESC
 LIMIT %(most)s
