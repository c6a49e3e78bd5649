-- Statements of producers/engagement.py.

-- name: like
-- No row comes back when the same reaction is there already; `inserted` tells a new like from a swapped reaction.
INSERT INTO likes (id, "postId", "userId", "reactionType", "createdAt")
VALUES (%(id)s, %(post)s, %(viewer)s, %(reaction)s, {UTC_NOW})
ON CONFLICT ("postId", "userId") DO UPDATE SET "reactionType" = EXCLUDED."reactionType"
 WHERE likes."reactionType" <> EXCLUDED."reactionType"
RETURNING (xmax = 0) AS inserted

-- name: unlike
-- One's own like.
DELETE FROM likes WHERE "postId" = %(post)s AND "userId" = %(viewer)s

-- name: count_likes
-- Upstream's counter has drifted at times; it never shows less than nothing.
UPDATE posts SET "likesCount" = greatest("likesCount" + %(change)s, 0), "updatedAt" = {UTC_NOW} WHERE id = %(post)s

-- name: first_level_comment
-- Answers are one level deep: a parent has no parent. Locked, so that it is not deleted under its answer.
SELECT id FROM comments WHERE id = %(parent)s AND "postId" = %(post)s AND "parentId" IS NULL FOR KEY SHARE

-- name: comment
-- A comment or an answer.
INSERT INTO comments (id, "postId", "authorId", content, "parentId", "createdAt", "updatedAt")
VALUES (%(id)s, %(post)s, %(viewer)s, %(content)s, %(parent_id)s, {UTC_NOW}, {UTC_NOW})
RETURNING id, "postId", "authorId", content, "parentId", "createdAt"

-- name: count_comment
-- The counter of the post.
UPDATE posts SET "commentsCount" = "commentsCount" + 1, "updatedAt" = {UTC_NOW} WHERE id = %(post)s

-- name: bookmark
-- A second one changes nothing.
INSERT INTO bookmarks (id, "postId", "userId", "createdAt") VALUES (%(id)s, %(post)s, %(viewer)s, {UTC_NOW})
ON CONFLICT ("postId", "userId") DO NOTHING

-- name: unbookmark
-- One's own bookmark.
DELETE FROM bookmarks WHERE "postId" = %(post)s AND "userId" = %(viewer)s
