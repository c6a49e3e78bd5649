-- What a client sees of the ids asked for, in their order; what the viewer may not see is not among the rows.

-- name: people
SELECT u.id, u."firstName", u."lastName", u."englishFirstName", u."englishLastName", u.username, u.headline,
       u."professionalTitle", u."profilePictureUrl", u.role::text, u."schoolId", u."isVerified"
  FROM unnest(%(ids)s::text[]) WITH ORDINALITY AS wanted (id, place)
  JOIN users u ON u.id = wanted.id
 WHERE {SUGGESTABLE}
 ORDER BY wanted.place

-- name: courses
SELECT k.id, k.title, k.description, k."titleTranslations", k."descriptionTranslations", k.thumbnail, k.category,
       k.level::text, coalesce(k.tags, '{}') AS tags, k.duration, k."lessonsCount", k.price, k."isFree",
       k."isFeatured", k."isPublished", k.rating, k."reviewsCount", k."createdAt",
       (SELECT count(*) FROM enrollments e WHERE e."courseId" = k.id) AS "enrolledCount",
       jsonb_build_object('id', i.id, 'firstName', i."firstName", 'lastName', i."lastName",
                          'profilePictureUrl', i."profilePictureUrl") AS instructor
  FROM unnest(%(ids)s::text[]) WITH ORDINALITY AS wanted (id, place)
  JOIN courses k ON k.id = wanted.id
  JOIN users i ON i.id = k."instructorId"
 WHERE {RECOMMENDABLE_COURSE}
 ORDER BY wanted.place

-- name: quizzes
-- By post. Of the questions only their number: they carry the answers.
SELECT q.id, q."postId", q."timeLimit", q."passingScore", q."totalPoints", q."maxAttempts",
       CASE jsonb_typeof(q.questions) WHEN 'array' THEN jsonb_array_length(q.questions) ELSE 0 END AS "questionsCount"
  FROM quizzes q JOIN posts p ON p.id = q."postId"
  JOIN users a ON a.id = p."authorId"
 WHERE q."postId" = ANY (%(ids)s::text[]) AND {RECOMMENDABLE_QUIZ}
