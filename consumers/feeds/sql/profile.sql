-- name: profile
-- What is known of a viewer: whom they follow and learn with, what they say they like, what they did in 90 days.
WITH recent AS (
    (SELECT 'like' AS kind, "postId", "createdAt" FROM likes
      WHERE "userId" = %(viewer)s AND "createdAt" > timezone('UTC', now()) - interval '90 days'
      ORDER BY "createdAt" DESC LIMIT 150)
    UNION ALL
    (SELECT 'comment', "postId", "createdAt" FROM comments
      WHERE "authorId" = %(viewer)s AND "createdAt" > timezone('UTC', now()) - interval '90 days'
      ORDER BY "createdAt" DESC LIMIT 150)
    UNION ALL
    (SELECT 'bookmark', "postId", "createdAt" FROM bookmarks
      WHERE "userId" = %(viewer)s AND "createdAt" > timezone('UTC', now()) - interval '90 days'
      ORDER BY "createdAt" DESC LIMIT 150)
)
SELECT ARRAY(SELECT f."followingId" FROM follows f WHERE f."followerId" = u.id
              ORDER BY f."createdAt" DESC, f."followingId" LIMIT %(follows)s) AS follows,
       ARRAY(SELECT DISTINCT m."userId" FROM club_members mine JOIN club_members m ON m."clubId" = mine."clubId"
              WHERE mine."userId" = u.id AND mine."isActive" AND m."isActive" AND m."userId" <> u.id
              ORDER BY m."userId" LIMIT %(mates)s) AS clubmates,
       ARRAY(SELECT DISTINCT e."userId" FROM enrollments mine JOIN enrollments e ON e."courseId" = mine."courseId"
              WHERE mine."userId" = u.id AND e."userId" <> u.id
              ORDER BY e."userId" LIMIT %(mates)s) AS coursemates,
       u.interests, u.skills, u."careerGoals" AS goals,
       ARRAY(SELECT tag FROM enrollments e JOIN courses c ON c.id = e."courseId"
              CROSS JOIN LATERAL unnest(coalesce(c.tags, '{}') || c.category) AS tag
              WHERE e."userId" = u.id LIMIT 200) AS learning,
       (SELECT coalesce(jsonb_agg(jsonb_build_object('kind', r.kind, 'author', p."authorId", 'tags', p."topicTags")), '[]')
          FROM (SELECT * FROM recent ORDER BY "createdAt" DESC LIMIT 150) r JOIN posts p ON p.id = r."postId") AS acts
  FROM users u
 WHERE u.id = %(viewer)s

-- name: feedback
-- What the viewer turned away from in half a year.
SELECT f."feedbackType" AS kind, p."postType"::text AS type, p."topicTags" AS tags
  FROM user_post_feedback f JOIN posts p ON p.id = f."postId"
 WHERE f."userId" = %(viewer)s AND f."createdAt" > timezone('UTC', now()) - interval '180 days'
 ORDER BY f."createdAt" DESC LIMIT 500

-- name: turned_away
-- Those of some posts that the viewer does not want to see again.
SELECT DISTINCT f."postId" FROM user_post_feedback f WHERE f."userId" = %(viewer)s AND f."postId" = ANY (%(ids)s::text[])

-- name: semantic
-- How near posts are to what the viewer reads, 0..1; posts without a vector are left out.
SELECT * FROM embeddings.semantic_scores(%(viewer)s::text, %(ids)s::text[])

-- name: features
-- What this database has of what the feed can do without.
SELECT to_regclass('public.user_post_feedback') IS NOT NULL
       AND has_any_column_privilege(to_regclass('public.user_post_feedback'), 'SELECT'),
       to_regprocedure('embeddings.semantic_scores(text, text[])') IS NOT NULL
