// An upstream app that knows nothing of the pipeline: its own transactions, quoted camelCase columns, a raw UPDATE,
// a rolled back write, and the deletion of a user with posts. Usage: node writer.js, with DATABASE_URL set.
import pg from "pg";

const client = new pg.Client({ connectionString: process.env.DATABASE_URL });
await client.connect();

async function transaction(work) {
  await client.query("BEGIN");
  try {
    await work();
    await client.query("COMMIT");
  } catch (error) {
    await client.query("ROLLBACK");
    if (!error.expected) throw error;
  }
}
const user = (id, first, last, school) =>
  client.query(
    `INSERT INTO users (id, "schoolId", password, "firstName", "lastName", role, "profileVisibility", "updatedAt")
     VALUES ($1, $4, 'hash', $2, $3, 'TEACHER', 'SCHOOL', now())`,
    [id, first, last, school],
  );
const post = (id, author, school, content, tags) =>
  client.query(
    `INSERT INTO posts (id, "authorId", "schoolId", content, "topicTags", visibility, "updatedAt")
     VALUES ($1, $2, $3, $4, $5, 'SCHOOL', now())`,
    [id, author, school, content, tags],
  );

await transaction(async () => {
  await client.query(
    `INSERT INTO schools (id, name, slug, email, "updatedAt") VALUES ('node-s', 'Node School', 'node-s', 'n@example', now())`,
  );
  await user("node-u1", "Sokha", "Chan", "node-s");
  await user("node-u2", "Dara", "Kim", "node-s");
  await post("node-p1", "node-u1", "node-s", "Volcanoes of the ring of fire", ["Geography"]);
  await post("node-p2", "node-u2", "node-s", "Glaciers carve deep valleys", ["geography"]);
  await client.query(
    `INSERT INTO follows (id, "followerId", "followingId") VALUES ('node-f1', 'node-u1', 'node-u2')`,
  );
});
// A raw UPDATE of the content, and one of a counter that means nothing to anybody.
await client.query(`UPDATE posts SET content = 'Earthquakes shake the ring of fire', "isEdited" = true WHERE id = $1`, ["node-p1"]);
await client.query(`UPDATE posts SET "viewsCount" = "viewsCount" + 1, "updatedAt" = now() WHERE id = $1`, ["node-p1"]);
await transaction(async () => {
  await client.query(
    `INSERT INTO likes (id, "postId", "userId", "reactionType") VALUES ('node-l1', 'node-p1', 'node-u2', 'CELEBRATE')`,
  );
  await client.query(
    `INSERT INTO post_views (id, "postId", "userId", source, duration) VALUES ('node-v1', 'node-p1', 'node-u2', 'feed', 7)`,
  );
});
// A write that its own transaction takes back: nobody may ever see it.
await transaction(async () => {
  await post("node-p3", "node-u1", "node-s", "Phantom comets that never were", []);
  throw Object.assign(new Error("changed my mind"), { expected: true });
});
// The deletion of a person takes posts, likes and comments along.
await client.query(`DELETE FROM users WHERE id = 'node-u2'`);
await client.end();
console.log("done");
