-- Live quizzes: the game itself, so that it survives every process and every cache.
--
-- A question is open from question_started_at until it is closed: `closed` counts the closed questions, and whoever
-- closes one holds the row's lock, so that every answer is either in before it or refused.

CREATE TABLE live.games (
    code                text        PRIMARY KEY CHECK (code ~ '^[1-9][0-9]{5}$'),
    id                  text        NOT NULL UNIQUE,
    quiz_id             text        NOT NULL,
    host_id             text        NOT NULL,
    title               text        NOT NULL,
    status              text        NOT NULL DEFAULT 'lobby' CHECK (status IN ('lobby', 'active', 'completed')),
    -- As they were when the game was made: editing the quiz does not change a running game. Answers included.
    questions           jsonb       NOT NULL,
    question_seconds    int         NOT NULL,
    points              int         NOT NULL,
    speed_bonus         float8      NOT NULL,
    question_index      int         NOT NULL DEFAULT -1,
    question_started_at timestamptz,
    closed              int         NOT NULL DEFAULT 0,
    created_at          timestamptz NOT NULL DEFAULT clock_timestamp(),
    started_at          timestamptz,
    completed_at        timestamptz,
    expires_at          timestamptz NOT NULL
);
CREATE INDEX games_expiry ON live.games (expires_at);

CREATE TABLE live.players (
    code      text        NOT NULL REFERENCES live.games (code) ON DELETE CASCADE,
    user_id   text        NOT NULL,
    joined_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    PRIMARY KEY (code, user_id)
);

-- One answer per player and question: the primary key says so.
CREATE TABLE live.answers (
    code           text        NOT NULL,
    question_index int         NOT NULL,
    user_id        text        NOT NULL,
    answer         jsonb       NOT NULL,
    correct        boolean     NOT NULL,
    points         int         NOT NULL,
    seconds        float8      NOT NULL,
    answered_at    timestamptz NOT NULL DEFAULT clock_timestamp(),
    PRIMARY KEY (code, question_index, user_id),
    FOREIGN KEY (code, user_id) REFERENCES live.players (code, user_id) ON DELETE CASCADE
);
