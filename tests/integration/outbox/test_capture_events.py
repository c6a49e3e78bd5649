"""Which events follow from which write: content and nothing else, whoever writes and however."""

from __future__ import annotations

import json

import psycopg

from tests.support.outbox import Connection, add_post, events_of, like, log, newest_id, view

SILENT = {
    "counters and scores": """UPDATE posts SET "likesCount" = "likesCount" + 1, "viewsCount" = 5, "commentsCount" = 1,
        "sharesCount" = 2, "trendingScore" = 0.5, "difficultyLevel" = 3.1, "edScore" = 4, "edScoreCount" = 2,
        "updatedAt" = now()""",
    "the same content again": "UPDATE posts SET title = title, content = content || ''",
    "presence heartbeat": """UPDATE users SET "updatedAt" = now(),
        "privacySettings" = '{"mobileApp": {"lastActiveAt": "2026-08-01T00:00:00Z"}}'""",
    "sign-in book-keeping": """UPDATE users SET "loginCount" = 3, "lastLogin" = now(), "failedAttempts" = 1,
        "totalPoints" = 9, "currentStreak" = 2, password = 'other', email = id || '@example.org', phone = id""",
    "nothing matched": "UPDATE posts SET title = 'x' WHERE false",
}


def test_noise_is_silent(school: Connection) -> None:
    for name, statement in SILENT.items():
        with school.transaction(force_rollback=True):
            assert events_of(school, statement) == [], name


TOLD = {
    "title": ("UPDATE posts SET title = 'New', \"likesCount\" = 9", [("post.updated", "p1")]),
    "title to nothing": ("UPDATE posts SET title = NULL", [("post.updated", "p1")]),
    "tags": ("""UPDATE posts SET "topicTags" = '{a,b}'""", [("post.updated", "p1")]),
    "visibility": ("UPDATE posts SET visibility = 'PRIVATE'", [("post.updated", "p1")]),
    "pin": ("""UPDATE posts SET "isPinned" = true""", [("post.updated", "p1")]),
    "name": ("""UPDATE users SET "lastName" = 'Kim' WHERE id = 'u1'""", [("user.updated", "u1")]),
    "suspension": (
        """UPDATE users SET "accountSuspendedAt" = now() WHERE id = 'u1'""",
        [("user.updated", "u1")],
    ),
    "rights": ("""UPDATE users SET "schoolAccessVersion" = 1 WHERE id = 'u1'""", [("user.updated", "u1")]),
    "several rows": ("""UPDATE users SET bio = 'Hi'""", [("user.updated", "u1"), ("user.updated", "u2")]),
    "follow": (
        """INSERT INTO follows (id, "followerId", "followingId") VALUES ('f1', 'u2', 'u1')""",
        [("follow.created", "u2")],
    ),
    "block": (
        """INSERT INTO user_blocks (id, "blockerId", "blockedId") VALUES ('b1', 'u1', 'u2')""",
        [("block.created", "u1")],
    ),
    "comment": (
        """INSERT INTO comments (id, "postId", "authorId", content, "updatedAt")
           VALUES ('c1', 'p1', 'u2', 'No!', now())""",
        [("comment.created", "p1")],
    ),
    "raw bookmark": (
        """WITH toggled AS (INSERT INTO bookmarks (id, "postId", "userId")
           VALUES (md5(random()::text), 'p1', 'u2') RETURNING 1) SELECT count(*) FROM toggled""",
        [("bookmark.created", "p1")],
    ),
    "club": (
        """INSERT INTO study_clubs (id, name, "creatorId", "updatedAt") VALUES ('k1', 'Chess', 'u1', now())""",
        [("club.created", "k1")],
    ),
    "course": (
        """INSERT INTO courses (id, title, description, category, "instructorId", "updatedAt")
           VALUES ('e1', 'Khmer', 'All of it', 'Languages', 'u1', now())""",
        [("course.created", "e1")],
    ),
    "identity": ("UPDATE posts SET id = 'p9'", [("post.deleted", "p1"), ("post.created", "p9")]),
}


def test_content_is_told(school: Connection) -> None:
    for name, (statement, events) in TOLD.items():
        with school.transaction(force_rollback=True):
            assert events_of(school, statement) == events, name


def test_state_is_that_of_the_written_row(school: Connection) -> None:
    """Two writers of one row: the later event carries both changes, though its writer has seen only its own."""
    school.execute("UPDATE posts SET title = 'First'")
    school.execute("UPDATE posts SET content = 'Second'")
    last = log(school)[-1]
    assert (last.data["title"], last.data["content"]) == ("First", "Second")
    assert last.data["createdAt"].endswith("Z")
    assert "likesCount" not in last.data


def test_facts_keep_their_identity_and_time(school: Connection) -> None:
    school.execute("""INSERT INTO likes (id, "postId", "userId", "createdAt")
                      VALUES ('l1', 'p1', 'u2', '2026-08-01 02:30:05.12')""")
    school.execute("UPDATE likes SET \"reactionType\" = 'INSIGHTFUL'")
    school.execute("DELETE FROM likes")
    created, updated, deleted = log(school)[-3:]
    assert [event.type for event in (created, updated, deleted)] == [
        "like.created.v1",
        "like.updated.v1",
        "like.deleted.v1",
    ]
    for event in (created, updated, deleted):
        assert (event.topic, event.key) == ("engagement", "p1")
        assert event.data["id"] == "l1"
        assert event.data["at"] == "2026-08-01T02:30:05.120Z"
        assert event.data["userId"] == "u2"
    assert updated.data["reactionType"] == "INSIGHTFUL"


def test_a_view_is_told_again_when_its_dwell_time_grows(school: Connection) -> None:
    view(school, "v1", "p1", "u2")
    school.execute("UPDATE post_views SET duration = coalesce(duration, 0) + 3")
    first, second = log(school)[-2:]
    assert first.type == second.type == "post.viewed.v1"
    assert first.topic == "view"
    assert (first.data["id"], first.data["at"], first.data["weight"]) == ("v1", second.data["at"], 1)
    assert (first.data.get("duration"), second.data["duration"]) == (None, 3)


def test_memberships_say_that_they_ended(school: Connection) -> None:
    school.execute(
        "INSERT INTO study_clubs (id, name, \"creatorId\", \"updatedAt\") VALUES ('k1', 'Chess', 'u1', now())"
    )
    school.execute("INSERT INTO club_members (id, \"clubId\", \"userId\") VALUES ('m1', 'k1', 'u2')")
    school.execute("DELETE FROM club_members")
    joined, left = log(school)[-2:]
    assert joined.type == left.type == "club_member.changed.v1"
    assert (joined.key, left.key) == ("k1", "k1")
    assert ("removed" in joined.data, left.data["removed"]) == (False, True)


def test_a_quiz_attempt_names_its_post_and_no_answer(school: Connection) -> None:
    school.execute("""INSERT INTO quizzes
        (id, "postId", questions, "timeLimit", "passingScore", "totalPoints", "updatedAt")
        VALUES ('q1', 'p1', '[{"correctAnswer": "42-is-secret"}]', 60, 50, 10, now())""")
    school.execute("""INSERT INTO quiz_attempts (id, "quizId", "userId", answers, score, "pointsEarned", passed)
                      VALUES ('a1', 'q1', 'u2', '["42-is-secret"]', 80, 8, true)""")
    event = log(school)[-1]
    assert (event.type, event.key) == ("quiz.attempted.v1", "q1")
    assert (event.data["postId"], event.data["score"], event.data["passed"]) == ("p1", 80, True)
    assert "42-is-secret" not in json.dumps([entry.data for entry in log(school)])


def test_deleting_a_person_tells_of_everything_that_goes_with_them(school: Connection) -> None:
    like(school, "p1", "u2")
    view(school, "v1", "p1", "u2")
    before = newest_id(school)
    school.execute("DELETE FROM users WHERE id = 'u1'")
    told = {(event.type, event.key) for event in log(school, before)}
    assert told == {
        ("user.deleted.v1", "u1"),
        ("post.deleted.v1", "p1"),
        ("like.deleted.v1", "p1"),
        ("view.deleted.v1", "p1"),
    }
    assert log(school, before)[0].data == {"id": "u1", "schoolId": "s1"}


def test_truncate_tells_of_every_row(school: Connection) -> None:
    add_post(school, "p2", "u2")
    like(school, "p1", "u2")
    events = events_of(school, "TRUNCATE posts CASCADE")
    assert sorted(events) == [("like.deleted", "p1"), ("post.deleted", "p1"), ("post.deleted", "p2")]


def test_what_is_rolled_back_was_never_told(database: str, school: Connection) -> None:
    before = newest_id(school)
    with psycopg.connect(database) as conn:
        conn.execute("UPDATE posts SET title = 'Never'")
        conn.rollback()
    assert log(school, before) == []


def test_secrets_are_in_no_event(connection: Connection) -> None:
    """Every column that holds a secret or a way to reach somebody, filled and changed; none is in the log."""
    secrets = {
        "password": "'s3cret-1'",
        "lastPasswordHashes": "'{s3cret-2}'",
        "passwordResetToken": "'s3cret-3'",
        "emailVerificationToken": "'s3cret-4'",
        "ssoAccessToken": "'s3cret-5'",
        "permissions": """'{"x": "s3cret-6"}'""",
        "pendingLinkData": """'{"x": "s3cret-7"}'""",
        "email": "'s3cret-8@example.org'",
        "phone": "'s3cret-9'",
        "privacySettings": """'{"x": "s3cret-10"}'""",
        "suspensionReason": "'s3cret-11'",
        "socialLinks": """'{"telegram": "s3cret-12"}'""",
        "resumeUrl": "'s3cret-13'",
    }
    names, values = (", ".join(parts) for parts in (map('"{}"'.format, secrets), secrets.values()))
    connection.execute(
        f"""INSERT INTO users (id, "firstName", "lastName", "updatedAt", {names})
            VALUES ('u1', 'Dara', 'Sok', now(), {values})"""
    )
    connection.execute("UPDATE users SET bio = 'changed'")
    connection.execute("DELETE FROM users")
    assert [event.type for event in log(connection)] == [
        "user.created.v1",
        "user.updated.v1",
        "user.deleted.v1",
    ]
    rows = connection.execute("SELECT e::text FROM outbox.events e").fetchall()
    assert not [row for (row,) in rows if "s3cret" in row]


def test_events_of_one_row_are_in_the_order_of_its_commits(database: str, school: Connection) -> None:
    """A writer that waited for another's row lock has the larger id, though it began first."""
    with psycopg.connect(database) as first, psycopg.connect(database) as second:
        first.execute("SELECT pg_current_xact_id()")
        second.execute("UPDATE posts SET title = 'second'")
        second.commit()
        first.execute("UPDATE posts SET title = 'first'")
        first.commit()
    assert [event.data["title"] for event in log(school)[-2:]] == ["second", "first"]


def test_a_session_in_replica_role_is_captured_too(school: Connection) -> None:
    """Bulk loads switch ordinary triggers off this way."""
    school.execute("SET session_replication_role = replica")
    assert events_of(school, "UPDATE posts SET title = 'Loaded'") == [("post.updated", "p1")]


def test_an_upstream_trigger_that_writes_again_is_told_after(school: Connection) -> None:
    school.execute("""
        CREATE FUNCTION public.retitle() RETURNS trigger LANGUAGE plpgsql AS $$
        BEGIN UPDATE posts SET title = 'again' WHERE id = NEW.id; RETURN NULL; END $$""")
    school.execute(
        "CREATE TRIGGER a_first AFTER INSERT ON posts FOR EACH ROW EXECUTE FUNCTION public.retitle()"
    )
    before = newest_id(school)
    add_post(school, "p2", "u1")
    told = [(event.type, event.data["title"]) for event in log(school, before)]
    assert told == [("post.created.v1", "Title"), ("post.updated.v1", "again")]
