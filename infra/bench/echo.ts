// The other process of the ping-pong: answers each entry of one stream on another.
import { Redis } from "ioredis";

const [url = ""] = process.argv.slice(2);
const redis = new Redis(url);
await redis.xgroup("CREATE", "bench:ping", "w", "0", "MKSTREAM").catch(() => {});
process.send?.("ready");
for (;;) {
  const found = (await redis.xreadgroup("GROUP", "w", "echo", "COUNT", 1, "BLOCK", 2000, "STREAMS", "bench:ping", ">")) as
    | [string, [string, string[]][]][]
    | null;
  for (const [, entries] of found ?? [])
    for (const [id, fields] of entries) {
      await redis.xadd("bench:pong", "*", ...fields);
      await redis.xack("bench:ping", "w", id);
    }
}
