-- Live quizzes. A game that has expired is not found.

-- name: quiz
-- A quiz whose post the viewer may see.
SELECT q.id, coalesce(nullif(p.title, ''), left(p.content, 80)) AS title, q.questions
  FROM quizzes q JOIN posts p ON p.id = q."postId" JOIN users a ON a.id = p."authorId"
 WHERE q.id = %(quiz)s AND {POST_VISIBLE}

-- name: sweep
-- Remove some games that have expired.
DELETE FROM live.games WHERE code IN (
    SELECT code FROM live.games WHERE expires_at < now() LIMIT 50 FOR UPDATE SKIP LOCKED)

-- name: create
-- No row comes back when the code is taken.
INSERT INTO live.games (code, id, quiz_id, host_id, title, questions, question_seconds, points, speed_bonus, expires_at)
VALUES (%(code)s, %(id)s, %(quiz)s, %(host)s, %(title)s, %(questions)s, %(seconds)s, %(points)s, %(bonus)s,
        now() + interval '2 hours')
ON CONFLICT (code) DO NOTHING RETURNING code

-- name: read
-- A game, and how the viewer stands to it.
SELECT g.*, clock_timestamp() AS now,
       g.question_started_at + make_interval(secs => g.question_seconds) AS deadline,
       EXISTS (SELECT FROM live.players p WHERE p.code = g.code AND p.user_id = %(viewer)s) AS joined
  FROM live.games g WHERE g.code = %(code)s AND g.expires_at > now()

-- name: lock
-- Nobody else starts, closes or advances the game meanwhile, and no answer is on its way in.
SELECT FROM live.games WHERE code = %(code)s AND expires_at > now() FOR NO KEY UPDATE

-- name: hold
-- The open question stays open until this transaction ends.
SELECT FROM live.games WHERE code = %(code)s AND expires_at > now() FOR SHARE

-- name: close
-- Close the current question when its time is over, or everybody has answered.
UPDATE live.games g SET closed = g.question_index + 1
 WHERE g.code = %(code)s AND g.status = 'active' AND g.closed = g.question_index
   AND (%(by_host)s
        OR clock_timestamp() > g.question_started_at + make_interval(secs => g.question_seconds)
        OR (EXISTS (SELECT FROM live.players p WHERE p.code = g.code)
            AND NOT EXISTS (SELECT FROM live.players p WHERE p.code = g.code AND NOT EXISTS (
                SELECT FROM live.answers a WHERE a.code = p.code AND a.user_id = p.user_id
                   AND a.question_index = g.question_index))))

-- name: join
-- Joining again changes nothing.
INSERT INTO live.players (code, user_id) VALUES (%(code)s, %(viewer)s) ON CONFLICT DO NOTHING

-- name: players
-- Who has joined, first come first.
SELECT p.user_id AS "userId", trim(u."firstName" || ' ' || u."lastName") AS username,
       u."profilePictureUrl" AS avatar
  FROM live.players p JOIN users u ON u.id = p.user_id
 WHERE p.code = %(code)s ORDER BY p.joined_at, p.user_id

-- name: count_players
SELECT count(*) FROM live.players WHERE code = %(code)s

-- name: start
UPDATE live.games
   SET status = 'active', question_index = 0, started_at = clock_timestamp(), question_started_at = clock_timestamp()
 WHERE code = %(code)s AND status = 'lobby'

-- name: advance
UPDATE live.games SET question_index = question_index + 1, question_started_at = clock_timestamp()
 WHERE code = %(code)s AND status = 'active'

-- name: complete
UPDATE live.games SET status = 'completed', completed_at = clock_timestamp() WHERE code = %(code)s AND status = 'active'

-- name: answer
-- One answer per question: a second one inserts nothing.
INSERT INTO live.answers (code, question_index, user_id, answer, correct, points, seconds)
VALUES (%(code)s, %(index)s, %(viewer)s, %(answer)s, %(correct)s, %(points)s, %(seconds)s)
ON CONFLICT DO NOTHING

-- name: my_answer
SELECT answer, correct, points FROM live.answers
 WHERE code = %(code)s AND question_index = %(index)s AND user_id = %(viewer)s

-- name: board
-- The table over the closed questions. Who has the same points is ranked by time; who has that too shares the rank.
SELECT rank() OVER (ORDER BY t.score DESC, t.seconds)::int AS rank, t.*
  FROM (SELECT p.user_id AS "userId", trim(u."firstName" || ' ' || u."lastName") AS username,
               coalesce(sum(a.points), 0)::int AS score, count(*) FILTER (WHERE a.correct)::int AS correct,
               count(a.code)::int AS answered,
               round(coalesce(sum(a.seconds) FILTER (WHERE a.correct), 0)::numeric, 3)::float8 AS seconds
          FROM live.players p JOIN users u ON u.id = p.user_id
          LEFT JOIN live.answers a ON a.code = p.code AND a.user_id = p.user_id AND a.question_index < %(closed)s
         WHERE p.code = %(code)s GROUP BY 1, 2) t
 ORDER BY rank, t."userId"
