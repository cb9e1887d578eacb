// The least that a shared document needs of a server: what one client sends is committed, then sent to the others.
import pg from "pg";
import { WebSocketServer } from "ws";

const pool = new pg.Pool({ connectionString: process.env.DATABASE_URL as string, max: 8 });
await pool.query("CREATE TABLE IF NOT EXISTS bench_update (id BIGSERIAL PRIMARY KEY, bytes BYTEA)");
const server = new WebSocketServer({ host: "127.0.0.1", port: 0 });
server.on("listening", () => process.send?.((server.address() as { port: number }).port));
server.on("connection", (socket) =>
  socket.on("message", async (bytes: Buffer) => {
    await pool.query("INSERT INTO bench_update (bytes) VALUES ($1)", [bytes]);
    for (const other of server.clients) if (other !== socket) other.send(bytes);
  }),
);
process.on("SIGTERM", () => process.exit(0));
