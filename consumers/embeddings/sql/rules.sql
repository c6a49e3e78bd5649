-- What may be offered to the viewer at all: the visibility rules, less what they have or have done already.

-- name: SUGGESTABLE
-- Person `u`. Students are suggested inside their school only.
({PERSON_VISIBLE} AND u.id <> %(viewer)s AND (u.role <> 'STUDENT' OR u."schoolId" = %(school)s::text)
 AND NOT EXISTS (SELECT FROM follows f WHERE f."followerId" = %(viewer)s AND f."followingId" = u.id))

-- name: RECOMMENDABLE_COURSE
-- Course `k`.
(k."isPublished" AND {COURSE_VISIBLE} AND k."instructorId" <> %(viewer)s
 AND NOT EXISTS (SELECT FROM enrollments e WHERE e."courseId" = k.id AND e."userId" = %(viewer)s))

-- name: RECOMMENDABLE_QUIZ
-- The quiz of post `p` with its author `a`.
({POST_VISIBLE} AND p."authorId" <> %(viewer)s
 AND EXISTS (SELECT FROM quizzes z WHERE z."postId" = p.id
                AND NOT EXISTS (SELECT FROM quiz_attempts t WHERE t."quizId" = z.id AND t."userId" = %(viewer)s)))
