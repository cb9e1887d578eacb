// The log of a process: lines for people, or where SPINDLE_LOG is json an object a line, with the run and the node run that it is about.
// Neither holds a secret of the process' environment.

/** What a line is about. */
export interface LogIds {
  run?: string;
  node?: string;
  nodeRun?: string;
  path?: string;
  attempt?: number;
  code?: string;
}

export interface Journal {
  info(where: string, message: string, ids?: LogIds): void;
  error(where: string, error: unknown, ids?: LogIds): void;
  /** What happens all the time: nobody reads it in a terminal, and it is written as JSON alone. */
  note(where: string, message: string, ids?: LogIds): void;
}

type Environment = Readonly<Record<string, string | undefined>>;

/** @throws Error that names SPINDLE_LOG if it is neither text nor json */
export function openLog(part: string, env: Environment, write: (line: string, isError: boolean) => void = print): Journal {
  const format = env.SPINDLE_LOG || "text";
  if (format !== "text" && format !== "json") throw new Error(`SPINDLE_LOG: "${format.slice(0, 80)}" is neither text nor json.`);
  const redact = redactor(env);
  const object = (level: "info" | "error", where: string, message: string, ids: LogIds, more: object = {}) =>
    write(
      JSON.stringify({ time: new Date().toISOString(), level, part, where, message: redact(message), ...ids, ...more }),
      level === "error",
    );
  return {
    info(where, message, ids = {}) {
      if (format === "json") object("info", where, message, ids);
      else write(redact(message), false);
    },
    error(where, error, ids = {}) {
      const { message, stack } = error instanceof Error ? error : { message: String(error), stack: undefined };
      const about = { ...idsOf(error), ...ids };
      if (format === "json") object("error", where, message, about, stack ? { stack: redact(stack) } : {});
      else write(redact(`[${where}] ${stack ?? message}`), true);
    },
    note(where, message, ids = {}) {
      if (format === "json") object("info", where, message, ids);
    },
  };
}

function print(line: string, isError: boolean): void {
  if (isError) console.error(line);
  else console.log(line);
}

/** Errors that say which node run they are about. */
function idsOf(error: unknown): LogIds {
  const nodeRun = error instanceof Error ? (error as { nodeRun?: unknown }).nodeRun : undefined;
  return typeof nodeRun === "string" ? { nodeRun } : {};
}

const SECRET_NAME = /KEY|SECRET|PASSWORD|TOKEN/;
/** What is shorter stands in too many words. */
const SHORTEST = 6;

/** Takes out what the environment says is secret, passwords in addresses, and what follows `Bearer`. */
export function redactor(env: Environment): (text: string) => string {
  const secrets = new Set<string>();
  for (const [name, value = ""] of Object.entries(env)) {
    if (SECRET_NAME.test(name)) secrets.add(value).add(encodeURIComponent(value));
    const password = URL.canParse(value) ? new URL(value).password : "";
    secrets.add(password);
    try {
      secrets.add(decodeURIComponent(password));
    } catch {} // it is no encoded text, and stands for itself
  }
  const known = [...secrets].filter((secret) => secret.length >= SHORTEST).sort((a, b) => b.length - a.length);
  return (text) =>
    known
      .reduce((left, secret) => left.replaceAll(secret, "[redacted]"), text)
      .replaceAll(/(:\/\/[^\s:/@]*:)[^\s/@]+@/g, "$1[redacted]@")
      .replaceAll(/(Bearer\s+)[\w.~+/=-]+/gi, "$1[redacted]");
}
