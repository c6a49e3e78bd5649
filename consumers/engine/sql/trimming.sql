-- Whose positions hold the streams.

-- name: followers
-- Consumers that read the streams of this epoch and have said something lately, by name; one that follows the log for
-- now has no positions in its checkpoint and holds nothing.
SELECT consumer, checkpoint FROM engine.checkpoints
 WHERE epoch = %(epoch)s
   AND updated_at > clock_timestamp() - interval '15 minutes'
 ORDER BY consumer, partition
