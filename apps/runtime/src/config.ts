// The environment, read once at the start; everything else takes options.
import { hostname } from "node:os";
import { join } from "node:path";
import { z } from "zod";
import { ROOT } from "./root.ts";

const milliseconds = (otherwise: number) => z.coerce.number().int().min(10).default(otherwise);

const YES = ["1", "true", "yes", "on"];
const NO = ["0", "false", "no", "off"];

const schema = z.object({
  DATABASE_URL: z.string().url(),
  REDIS_URL: z.string().url(),
  SPINDLE_WORKER_KEY: z.string().min(32),
  SPINDLE_HOME: z.string().default(join(ROOT, ".spindle")),
  HOST: z.string().default("127.0.0.1"),
  PORT: z.coerce.number().int().min(0).max(65535).default(3000),
  SPINDLE_PUBLIC_HOSTS: z.string().default(""),
  SPINDLE_PROXY_SECRET: z.string().default(""),
  SPINDLE_PEER_URL: z.union([z.literal(""), z.string().url()]).default(""),
  SPINDLE_LOG: z.enum(["", "text", "json"]).default("text"),
  SPINDLE_DEV: z.string().default(""),
  SPINDLE_COMMERCIAL_USE: z.string().default("").transform(asSwitch),
  COMFY_URL: z.string().default(""),
  S3_ENDPOINT: z.string().default(""),
  S3_BUCKET: z.string().default("spindle"),
  S3_REGION: z.string().default("us-east-1"),
  S3_ACCESS_KEY_ID: z.string().default(""),
  S3_SECRET_ACCESS_KEY: z.string().default(""),
  OLLAMA_URL: z.string().default("http://127.0.0.1:11434"),
  OLLAMA_MODEL: z.string().default("llama3.1:8b"),
  OPENAI_BASE_URL: z.string().default(""),
  OPENAI_API_KEY: z.string().default(""),
  OPENAI_MODEL: z.string().default("gpt-4o-mini"),
  SPINDLE_LEASE_MS: milliseconds(20_000),
  SPINDLE_BEAT_MS: milliseconds(5_000),
  SPINDLE_RETRY_BASE_MS: milliseconds(2_000),
  SPINDLE_RUN_LEASE_MS: milliseconds(10_000),
});

function asSwitch(value: string, context: z.RefinementCtx): boolean {
  const word = value.trim().toLowerCase();
  if (YES.includes(word)) return true;
  if (word === "" || NO.includes(word)) return false;
  const message = `${JSON.stringify(value)} is neither yes nor no. Write 1, true, yes or on, or 0, false, no or off.`;
  context.addIssue({ code: "custom", message });
  return z.NEVER;
}

/** @throws Error that says which words there are */
export function readCommercialUse(environment: Record<string, string | undefined>): boolean {
  const parsed = schema.shape.SPINDLE_COMMERCIAL_USE.safeParse(environment.SPINDLE_COMMERCIAL_USE);
  if (!parsed.success) throw new Error(`SPINDLE_COMMERCIAL_USE: ${parsed.error.issues[0]?.message}`);
  return parsed.data;
}

export type Config = ReturnType<typeof readConfig>;

/** @throws Error that names each variable that is wrong and why */
export function readConfig(environment: Record<string, string | undefined>) {
  const parsed = schema.safeParse(environment);
  if (!parsed.success) throw new Error(parsed.error.issues.map((issue) => `${issue.path.join(".")}: ${issue.message}`).join("\n"));
  const env = parsed.data;
  return {
    databaseUrl: env.DATABASE_URL,
    redisUrl: env.REDIS_URL,
    workerKey: env.SPINDLE_WORKER_KEY,
    home: env.SPINDLE_HOME,
    host: env.HOST,
    port: env.PORT,
    publicHosts: env.SPINDLE_PUBLIC_HOSTS.split(",").filter(Boolean),
    proxySecret: env.SPINDLE_PROXY_SECRET,
    /** Where other runtimes on the same database reach this one; empty: at its own host and port. */
    peerUrl: env.SPINDLE_PEER_URL,
    dev: env.SPINDLE_DEV === "1",
    commercialUse: env.SPINDLE_COMMERCIAL_USE,
    /** A bridge to ComfyUI is started beside this runtime. */
    expectsComfy: env.COMFY_URL !== "",
    s3: env.S3_ENDPOINT
      ? {
          endpoint: env.S3_ENDPOINT,
          bucket: env.S3_BUCKET,
          region: env.S3_REGION,
          accessKeyId: env.S3_ACCESS_KEY_ID,
          secretAccessKey: env.S3_SECRET_ACCESS_KEY,
        }
      : undefined,
    models: {
      ollama: { url: env.OLLAMA_URL, model: env.OLLAMA_MODEL },
      openai: { url: env.OPENAI_BASE_URL, key: env.OPENAI_API_KEY, model: env.OPENAI_MODEL },
    },
    timings: {
      leaseMs: env.SPINDLE_LEASE_MS,
      beatMs: env.SPINDLE_BEAT_MS,
      retryBaseMs: env.SPINDLE_RETRY_BASE_MS,
      runLeaseMs: env.SPINDLE_RUN_LEASE_MS,
    },
    owner: `${hostname()}:${process.pid}:${Date.now().toString(36)}`,
  };
}

export type Timings = Config["timings"];
