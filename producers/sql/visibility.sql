-- Statements of producers/visibility.py: is it there for this viewer, and will it stay until the commit?
-- FOR KEY SHARE keeps a row from being deleted under the transaction, and lets counters move.

-- name: post
-- A post, by the rule for posts.
SELECT p.id FROM posts p JOIN users a ON a.id = p."authorId"
 WHERE p.id = %(id)s AND {POST_VISIBLE} FOR KEY SHARE OF p

-- name: person
-- A person, by the rule for people.
SELECT u.id FROM users u WHERE u.id = %(id)s AND {PERSON_VISIBLE} FOR KEY SHARE OF u

-- name: club
-- A club, by the rule for clubs.
SELECT c.id FROM study_clubs c WHERE c.id = %(id)s AND {CLUB_VISIBLE} FOR KEY SHARE OF c

-- name: course
-- A course, by the rule for courses.
SELECT k.id FROM courses k WHERE k.id = %(id)s AND {COURSE_VISIBLE} FOR KEY SHARE OF k
