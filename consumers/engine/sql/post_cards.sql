-- Post cards for the ids asked for, in the order asked for; what the viewer may not see is not among the rows.
-- Likes and comments are counted from their rows (upstream's columns drift); shares and views have no complete rows.
SELECT p.id, p.title, p.content, p."postType"::text, p.visibility::text, p."schoolId",
       coalesce(p."topicTags", '{}') AS "topicTags", coalesce(p."mediaUrls", '{}') AS "mediaUrls",
       p."studyClubId", p."repostOfId", p."isEdited", p."isPinned", p."teacherVerified", p."createdAt",
       (SELECT count(*) FROM likes l WHERE l."postId" = p.id) AS "likesCount",
       (SELECT count(*) FROM comments m WHERE m."postId" = p.id) AS "commentsCount",
       p."sharesCount", p."viewsCount",
       EXISTS (SELECT FROM likes l WHERE l."postId" = p.id AND l."userId" = %(viewer)s) AS "isLikedByMe",
       EXISTS (SELECT FROM bookmarks b WHERE b."postId" = p.id AND b."userId" = %(viewer)s) AS "isBookmarkedByMe",
       a.id AS "author.id", a."firstName" AS "author.firstName", a."lastName" AS "author.lastName",
       a."profilePictureUrl" AS "author.profilePictureUrl", a.role::text AS "author.role"
  FROM unnest(%(ids)s::text[]) WITH ORDINALITY AS wanted (id, place)
  JOIN posts p ON p.id = wanted.id
  JOIN users a ON a.id = p."authorId"
 WHERE {POST_VISIBLE}
 ORDER BY wanted.place
