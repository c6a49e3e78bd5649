-- Of the posts that something happened to, those the viewer may see: whether they are their own, and whether they
-- concern them at all (their own, their school's, or of somebody they follow).
SELECT p.id, p."authorId" = %(viewer)s AS own,
       p."authorId" = %(viewer)s OR coalesce(p."schoolId" = %(school)s::text, false)
       OR EXISTS (SELECT FROM follows f WHERE f."followerId" = %(viewer)s AND f."followingId" = p."authorId") AS near
  FROM posts p
  JOIN users a ON a.id = p."authorId"
 WHERE p.id = ANY (%(ids)s::text[]) AND {POST_VISIBLE}
