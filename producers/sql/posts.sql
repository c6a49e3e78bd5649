-- Statements of producers/posts.py and producers/quizzes.py. {name} puts in another block or a rule of runtime/access.py.

-- name: shown
-- What the writer of a post gets back.
id, "authorId", "schoolId", title, content, "postType"::text, visibility::text,
coalesce("topicTags", '{}') AS "topicTags", coalesce("mediaUrls", '{}') AS "mediaUrls",
"likesCount", "commentsCount", "sharesCount", "viewsCount", "isEdited", "isPinned", "createdAt", "updatedAt"

-- name: create
-- A new post in its author's school.
INSERT INTO posts (id, "authorId", "schoolId", title, content, "postType", visibility, "topicTags", "mediaUrls",
                   "createdAt", "updatedAt")
VALUES (%(id)s, %(author)s, %(school)s, %(title)s, %(content)s, %(post_type)s, %(visibility)s, %(topic_tags)s,
        %(media_urls)s, {UTC_NOW}, {UTC_NOW})
RETURNING {shown}

-- name: edit
-- Changes by the author; no row when the editor is somebody else.
UPDATE posts SET {assignments}, "isEdited" = true, "updatedAt" = {UTC_NOW}
 WHERE id = %(post)s AND "authorId" = %(editor)s
RETURNING {shown}

-- name: delete
-- By the author; no row when the deleter is somebody else.
DELETE FROM posts WHERE id = %(post)s AND "authorId" = %(deleter)s

-- name: create_quiz
-- The quiz of a post.
INSERT INTO quizzes (id, "postId", questions, "timeLimit", "passingScore", "totalPoints", "maxAttempts",
                     "createdAt", "updatedAt")
VALUES (%(id)s, %(post)s, %(questions)s, %(time_limit)s, %(passing_score)s, %(total)s, %(max_attempts)s,
        {UTC_NOW}, {UTC_NOW})
