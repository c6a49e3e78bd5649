-- Visible posts, newest first, after a place in that order.
SELECT p.id, p."createdAt"
  FROM posts p
  JOIN users a ON a.id = p."authorId"
 WHERE {VISIBLE}
   AND (%(wanted_school)s::text IS NULL OR p."schoolId" = %(wanted_school)s)
   AND (%(wanted_type)s::text IS NULL OR p."postType"::text = %(wanted_type)s)
   AND (%(wanted_tags)s::text[] IS NULL OR p."topicTags" && %(wanted_tags)s::text[])
   AND (%(after_time)s::timestamp IS NULL OR (p."createdAt", p.id) < (%(after_time)s, %(after_id)s))
 ORDER BY p."createdAt" DESC, p.id DESC
 LIMIT %(count)s
