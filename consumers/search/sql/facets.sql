-- What posts are counted by, of those asked for that the viewer may see.
SELECT p."schoolId", p."postType"::text, array_remove(coalesce(p."topicTags", '{}'), NULL)
  FROM posts p
  JOIN users a ON a.id = p."authorId"
 WHERE p.id = ANY (%(ids)s::text[]) AND {VISIBLE}
