// The settings of a node (`metadata.nodes[id]`): their shape, then what the library says to them.
import type { NodeParts } from "../definitions.ts";
import type { NodeSettings } from "../graph.ts";
import { type Issue, issue } from "../issue.ts";
import type { LibraryEngine, NodeDefinition } from "../library.ts";
import { leavesOf } from "../one-of-many.ts";
import { fits, misfits, unknownKeys } from "./misfits.ts";

/** What each setting has to be; a run does not start while a setting that decides how it goes has the wrong shape. */
const SAYS: Readonly<Record<keyof NodeSettings, { says: string; severity: "error" | "warning" }>> = {
  version: { says: 'A version is a text, as in "1.2.0".', severity: "error" },
  engine: { says: "An engine is named by its id.", severity: "error" },
  timeoutSeconds: { says: "The time-out is a number of seconds from 1 to 604,800 (a week).", severity: "error" },
  pinned: { says: "A pinned output is an object with a value per port.", severity: "error" },
  breakpoint: { says: "A breakpoint is before or after the node.", severity: "error" },
  outputs: { says: 'Of an output the first leaves, or all: each is named with "first" or "all".', severity: "error" },
  disabled: { says: "A node is off (true) or not (false).", severity: "warning" },
  bypassed: { says: "A node is bypassed (true) or not (false).", severity: "warning" },
};

const NO_KEYS: ReadonlySet<keyof NodeSettings> = new Set();

export function checkSettings(parts: NodeParts): Issue[] {
  const { node, settings } = parts;
  const found = misfits("NodeSettings", settings);
  const place = { node: node.id };
  const isPlain = fits(found) && settings.disabled === undefined && settings.bypassed === undefined;
  if (isPlain) return parts.element ? checkAgainst(parts, NO_KEYS, parts.element, place) : [];
  const wrong = new Set(found.wrong.map(({ path }) => path[0] as keyof NodeSettings));
  const pointer = `/metadata/nodes/${node.id}`;
  return [
    ...[...wrong].map((key) => {
      const { says, severity } = SAYS[key];
      const code = severity === "error" ? "param.invalid" : "graph.schema";
      return issue(severity, code, says, { ...place, port: key, pointer: `${pointer}/${key}` }, "Correct it, or remove it.");
    }),
    ...unknownKeys("NodeSettings", found, { ...place, pointer }),
    ...(settings.disabled === true ? [issue("info", "node.disabled", "The node is off: it is skipped.", place)] : []),
    ...(parts.passes ? [bypassIssue(parts, { ...place, port: "bypassed" })] : []),
    ...(parts.element ? checkAgainst(parts, wrong, parts.element, place) : []),
  ];
}

/** A worker's engine is waited for. What runs in the runtime itself would fail at once. */
function notLive({ label, plane, reason = "no worker offers it" }: LibraryEngine, place: { node: string }): Issue {
  const why = `${label} is not live: ${reason.replace(/\.$/, "")}.`;
  return plane === "node"
    ? issue("error", "node.engine_not_live", why, place, "Choose another engine.")
    : issue("warning", "node.engine_not_live", `${why} A run waits here until it is.`, place, "Make it ready, or choose another engine.");
}

function bypassIssue({ isOff }: NodeParts, place: { node: string; port: string }): Issue {
  if (!isOff) return issue("info", "node.bypassed", "The node is bypassed: it passes on what it takes, and does not run.", place);
  const message = "The node is bypassed and none of its inputs has the type of an output, so that it is off: it is skipped.";
  return issue("warning", "node.bypassed", message, place, "Switch the bypass off, or wire what comes after it to something else.");
}

/** A choice at an output that is always one thing, or that the capability does not have any more. */
function idleChoices({ outputs }: NodeSettings, definition: NodeDefinition, place: { node: string }): Issue[] {
  const isIdle = (name: string) => !definition.outputs.some((port) => port.name === name && leavesOf(port) !== undefined);
  return Object.keys(outputs ?? {})
    .filter(isIdle)
    .map((name) => {
      const message = `Of ${JSON.stringify(name)} there is nothing to choose: ${definition.label} gives it as it is.`;
      return issue("warning", "graph.schema", message, { ...place, port: "outputs" }, "Remove the choice.");
    });
}

function checkAgainst(
  { settings, engine: chosen }: NodeParts,
  wrong: ReadonlySet<keyof NodeSettings>,
  definition: NodeDefinition,
  place: { node: string },
): Issue[] {
  const { version, engine = "auto" } = settings;
  const issues = settings.outputs === undefined || wrong.has("outputs") ? [] : idleChoices(settings, definition, place);
  if (version !== undefined && !wrong.has("version") && version !== definition.version)
    issues.push(
      issue(
        "error",
        "node.unknown_version",
        `${definition.label} has version ${definition.version}, not ${JSON.stringify(version)}.`,
        place,
      ),
    );
  if (wrong.has("engine")) return issues;
  const named = engine === "auto" ? undefined : definition.engines.find((one) => one.id === engine);
  if (engine !== "auto" && !named)
    issues.push(
      issue(
        "error",
        "node.unknown_engine",
        `${definition.label} has no engine ${JSON.stringify(engine)}; it has ${definition.engines.map((one) => one.id).join(", ")}.`,
        place,
      ),
    );
  if (named && !named.live && definition.live) issues.push(notLive(named, place));
  if (!definition.live && chosen)
    issues.push(
      issue("warning", "node.offline", `No worker offers ${definition.label} now; its tasks stay queued.`, place, "Start a worker."),
    );
  return issues;
}
