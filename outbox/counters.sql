-- Count the posts that events of one topic have touched since its last run, tell those whose counts changed or did so
-- for a while, and remember how far this statement's snapshot has seen. One statement, hence one snapshot for all of it.
WITH run AS (
    SELECT epoch, snapshot FROM outbox.counter_runs WHERE topic = %(topic)s
), touched AS MATERIALIZED (
    SELECT t.key AS post_id, t.taken_back FROM run, outbox.touched(run.snapshot, run.epoch, %(topic)s) t
), counted AS (
    SELECT p.id AS post_id, {likes} AS likes, {comments} AS comments, {bookmarks} AS bookmarks, {shares} AS shares,
           {views} AS views
      FROM touched JOIN public.posts p ON p.id = touched.post_id
), changed AS (
    INSERT INTO outbox.post_counters AS known SELECT * FROM counted
    ON CONFLICT (post_id) DO UPDATE SET likes = excluded.likes, comments = excluded.comments,
        bookmarks = excluded.bookmarks, shares = excluded.shares, views = excluded.views
    WHERE (known.likes, known.comments, known.bookmarks, known.shares, known.views) IS DISTINCT FROM
        (excluded.likes, excluded.comments, excluded.bookmarks, excluded.shares, excluded.views)
        OR EXISTS (SELECT FROM touched t WHERE t.post_id = excluded.post_id AND t.taken_back)
    RETURNING *
), told AS (
    SELECT outbox.emit('post', 'post.counters_changed.v1', c.post_id, jsonb_build_object('id', c.post_id,
        'likes', c.likes, 'comments', c.comments, 'bookmarks', c.bookmarks, 'shares', c.shares, 'views', c.views))
      FROM changed c
), gone AS (
    DELETE FROM outbox.post_counters known USING touched
     WHERE known.post_id = touched.post_id AND NOT EXISTS (SELECT FROM public.posts p WHERE p.id = known.post_id)
), seen AS (
    UPDATE outbox.counter_runs SET epoch = outbox.current_epoch(), snapshot = pg_current_snapshot()
     WHERE topic = %(topic)s
)
SELECT count(*) FROM told
