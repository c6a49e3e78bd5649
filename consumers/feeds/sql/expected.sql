-- What Redis should keep of each post, for `verification.py` alone, in primary-key order after `after`.
-- Only posts of active authors are in feeds. `quality` leaves the ratings out: they change without an event.
SELECT p.id, p."authorId" AS author, p."schoolId" AS school, p.visibility::text AS visibility, p."postType"::text AS type,
       CASE WHEN isfinite(p."createdAt")
            THEN least(greatest(floor(extract(epoch FROM p."createdAt") * 1000), 0), 90000000000000)::bigint
            ELSE 0 END AS created,
       p."isPinned" AS pinned, p."topicTags" AS tags,
       CASE p."postType"::text
            WHEN 'COURSE' THEN 0.85 WHEN 'QUIZ' THEN 0.80 WHEN 'TUTORIAL' THEN 0.80 WHEN 'PROJECT' THEN 0.75
            WHEN 'RESEARCH' THEN 0.75 WHEN 'RESOURCE' THEN 0.70 WHEN 'EXAM' THEN 0.70 WHEN 'ASSIGNMENT' THEN 0.65
            WHEN 'ARTICLE' THEN 0.50 WHEN 'QUESTION' THEN 0.45 ELSE 0.40 END
       + CASE WHEN cardinality(p."mediaUrls") > 0 THEN 0.10 ELSE 0 END
       + CASE WHEN length(p.content) > 200 THEN 0.05 ELSE 0 END + CASE WHEN length(p.content) > 500 THEN 0.05 ELSE 0 END
       + CASE WHEN a."isVerified" THEN 0.10 ELSE 0 END + CASE WHEN p.title <> '' THEN 0.05 ELSE 0 END
       + CASE WHEN p."postType"::text = 'QUESTION' THEN least(greatest(p."questionBounty", 0) / 300.0, 0.3) ELSE 0 END
           AS quality,
       least((SELECT count(*) FROM likes l WHERE l."postId" = p.id), %(counted)s)::int AS likes,
       least((SELECT count(*) FROM comments m WHERE m."postId" = p.id), %(counted)s)::int AS comments,
       (SELECT array_agg(x.who ORDER BY x.at DESC, x.who) FROM (
           SELECT l."userId" AS who, l."createdAt" AS at FROM likes l WHERE l."postId" = p.id
            ORDER BY 2 DESC, 1 LIMIT %(people)s) x) AS likers,
       (SELECT array_agg(x.who ORDER BY x.at DESC, x.who) FROM (
           SELECT m."authorId" AS who, m."createdAt" AS at FROM comments m WHERE m."postId" = p.id
            ORDER BY 2 DESC, 1 LIMIT %(people)s) x) AS commenters
  FROM posts p JOIN users a ON a.id = p."authorId"
 WHERE p.id > %(after)s AND a."isActive" AND a."accountSuspendedAt" IS NULL
   AND (%(ids)s::text[] IS NULL OR p.id = ANY (%(ids)s::text[]))
 ORDER BY p.id LIMIT %(most)s
