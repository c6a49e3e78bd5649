-- Posts with their authors' names and with likes and comments counted from rows (the columns drift).
SELECT p.id, p.title, p.content, p."repostComment", p."topicTags", p."postType"::text, p.visibility::text,
       p."schoolId", p."authorId", p."createdAt",
       a."firstName", a."lastName", a."englishFirstName", a."englishLastName",
       a."isActive" AND a."accountSuspendedAt" IS NULL AS "authorActive",
       (SELECT count(*) FROM likes l WHERE l."postId" = p.id) AS likes,
       (SELECT count(*) FROM comments m WHERE m."postId" = p.id) AS comments
  FROM posts p
  JOIN users a ON a.id = p."authorId"
 WHERE p.id = ANY (%(keys)s::text[])
