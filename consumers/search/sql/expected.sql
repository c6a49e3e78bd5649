-- What the index should hold, for `verification.py` alone: rows in primary-key order, after `after`, restricted to the
-- ids or the buckets asked for. Who may be found at all is decided here; {BUCKET} is the bucket of a row's id.

-- name: posts
SELECT p.id, round(extract(epoch FROM p."createdAt") * 1000)::bigint AS created, p.visibility::text AS shown_to,
       p."schoolId" AS school, p."authorId" AS owner, coalesce(p.title, '') AS title,
       p.content || E'\n' || coalesce(p."repostComment", '') AS body, array_remove(p."topicTags", NULL) AS tags,
       p."postType"::text AS sort, a."firstName" AS first, a."lastName" AS last,
       a."englishFirstName" AS latin_first, a."englishLastName" AS latin_last,
       (SELECT count(*) FROM likes l WHERE l."postId" = p.id)
           + 2 * (SELECT count(*) FROM comments m WHERE m."postId" = p.id) AS weight
  FROM posts p JOIN users a ON a.id = p."authorId"
 WHERE p.id > %(after)s AND a."isActive" AND a."accountSuspendedAt" IS NULL
   AND (%(ids)s::text[] IS NULL OR p.id = ANY (%(ids)s::text[]))
   AND (%(buckets)s::int[] IS NULL OR {BUCKET} = ANY (%(buckets)s::int[]))
 ORDER BY p.id LIMIT %(most)s

-- name: users
SELECT p.id, round(extract(epoch FROM p."createdAt") * 1000)::bigint AS created, p."profileVisibility"::text AS shown_to,
       p."schoolId" AS school, p.id AS owner, coalesce(p.username, '') AS username,
       array_remove(p.interests || p.skills, NULL) AS tags, p.role::text AS sort,
       p."firstName" AS first, p."lastName" AS last, p."englishFirstName" AS latin_first,
       p."englishLastName" AS latin_last,
       concat_ws(' · ', nullif(p.headline, ''), nullif(p."professionalTitle", '')) AS body,
       p."isVerified"::int AS weight
  FROM users p
 WHERE p.id > %(after)s AND p."isActive" AND p."accountSuspendedAt" IS NULL AND p."socialFeaturesEnabled"
   AND p."profileVisibility"::text IN ('PUBLIC', 'SCHOOL', 'CLASS')
   AND (%(ids)s::text[] IS NULL OR p.id = ANY (%(ids)s::text[]))
   AND (%(buckets)s::int[] IS NULL OR {BUCKET} = ANY (%(buckets)s::int[]))
 ORDER BY p.id LIMIT %(most)s

-- name: clubs
SELECT p.id, round(extract(epoch FROM p."createdAt") * 1000)::bigint AS created,
       CASE WHEN p.mode::text = 'INVITE_ONLY' THEN 'MEMBERS' WHEN p."schoolId" IS NULL THEN 'PUBLIC' ELSE 'SCHOOL' END
           AS shown_to,
       p."schoolId" AS school, p.name AS title,
       concat_ws(E'\n', nullif(p.description, ''), nullif(p.category, ''), nullif(p.subject, '')) AS body,
       array_remove(p.tags, NULL) AS tags,
       array_remove(ARRAY[nullif(p.category, ''), nullif(p.subject, '')], NULL) AS subjects, p."clubType"::text AS sort,
       (SELECT count(*) FROM club_members m WHERE m."clubId" = p.id AND m."isActive") AS weight
  FROM study_clubs p
 WHERE p.id > %(after)s AND p."isActive"
   AND (%(ids)s::text[] IS NULL OR p.id = ANY (%(ids)s::text[]))
   AND (%(buckets)s::int[] IS NULL OR {BUCKET} = ANY (%(buckets)s::int[]))
 ORDER BY p.id LIMIT %(most)s

-- name: courses
SELECT p.id, round(extract(epoch FROM p."createdAt") * 1000)::bigint AS created,
       CASE WHEN p."isPublished" THEN 'PUBLIC' ELSE 'PRIVATE' END AS shown_to, p."instructorId" AS owner,
       p.title || coalesce((SELECT string_agg(E'\n' || t.text, '' ORDER BY t.place) FROM (
           SELECT t.value #>> '{}' AS text, min(t.place) AS place
             FROM jsonb_each(CASE jsonb_typeof(p."titleTranslations") WHEN 'object' THEN p."titleTranslations" END)
                  WITH ORDINALITY AS t (locale, value, place)
            WHERE jsonb_typeof(t.value) = 'string' AND t.value #>> '{}' <> p.title GROUP BY 1) t), '') AS title,
       p.description || coalesce((SELECT string_agg(E'\n' || t.text, '' ORDER BY t.place) FROM (
           SELECT t.value #>> '{}' AS text, min(t.place) AS place
             FROM jsonb_each(CASE jsonb_typeof(p."descriptionTranslations")
                             WHEN 'object' THEN p."descriptionTranslations" END)
                  WITH ORDINALITY AS t (locale, value, place)
            WHERE jsonb_typeof(t.value) = 'string' AND t.value #>> '{}' <> p.description GROUP BY 1) t), '') AS body,
       array_remove(p.tags, NULL) AS tags, ARRAY[p.category] AS subjects, p.level::text AS sort,
       i."firstName" AS first, i."lastName" AS last, i."englishFirstName" AS latin_first,
       i."englishLastName" AS latin_last,
       (SELECT count(*) FROM enrollments e WHERE e."courseId" = p.id) AS weight
  FROM courses p JOIN users i ON i.id = p."instructorId"
 WHERE p.id > %(after)s
   AND (%(ids)s::text[] IS NULL OR p.id = ANY (%(ids)s::text[]))
   AND (%(buckets)s::int[] IS NULL OR {BUCKET} = ANY (%(buckets)s::int[]))
 ORDER BY p.id LIMIT %(most)s
