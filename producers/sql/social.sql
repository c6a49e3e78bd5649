-- Statements of producers/social.py.

-- name: follow
-- A second one changes nothing.
INSERT INTO follows (id, "followerId", "followingId", "createdAt") VALUES (%(id)s, %(viewer)s, %(other)s, {UTC_NOW})
ON CONFLICT ("followerId", "followingId") DO NOTHING

-- name: unfollow
-- One direction only.
DELETE FROM follows WHERE "followerId" = %(viewer)s AND "followingId" = %(other)s

-- name: exists
-- Whether there is such a person, seen or not; they stay until the commit.
SELECT id FROM users WHERE id = %(other)s FOR KEY SHARE

-- name: block
-- A second one changes nothing.
INSERT INTO user_blocks (id, "blockerId", "blockedId", "createdAt") VALUES (%(id)s, %(viewer)s, %(other)s, {UTC_NOW})
ON CONFLICT ("blockerId", "blockedId") DO NOTHING

-- name: unblock
-- One's own block; the other side's stays.
DELETE FROM user_blocks WHERE "blockerId" = %(viewer)s AND "blockedId" = %(other)s

-- name: part
-- Neither follows the other any more.
DELETE FROM follows
 WHERE ("followerId" = %(viewer)s AND "followingId" = %(other)s)
    OR ("followerId" = %(other)s AND "followingId" = %(viewer)s)
