-- Which facts of a replay still stand.

-- name: standing
-- Source rows that are there, named as their facts are.
SELECT id FROM post_views WHERE id = ANY (%(views)s::text[])
UNION ALL SELECT 'like:' || id FROM likes WHERE id = ANY (%(like)s::text[])
UNION ALL SELECT 'comment:' || id FROM comments WHERE id = ANY (%(comment)s::text[])
UNION ALL SELECT 'bookmark:' || id FROM bookmarks WHERE id = ANY (%(bookmark)s::text[])
UNION ALL SELECT 'quiz:' || id FROM quiz_attempts WHERE id = ANY (%(quiz)s::text[])
UNION ALL SELECT 'post:' || id FROM posts WHERE id = ANY (%(post)s::text[])
