// The changes of a node run (schemas/states), each with what its event says (schemas/events).
import {
  type ArtifactRef,
  ERROR_NODE_STATES,
  NODE_CHANGES,
  type NodeChangeName,
  type NodeState,
  type RunEvent,
  type RunEventError,
} from "@spindle/schemas";
import type { EngineDecision, NodeRoute } from "./frozen.ts";

export type EventOf<Type extends RunEvent["type"]> = Extract<RunEvent, { type: Type }>;
type BodyOf<Name extends NodeChangeName> = EventOf<(typeof NODE_CHANGES)[Name]["event"]>["body"];
type When<Body, Key extends string, Given> = Body extends Record<Key, unknown> ? Given : unknown;

/** What both the row and its event keep. A move gives it once, beside the body. */
type Kept<Name extends NodeChangeName> = "error" | "output" | "why" | (Name extends "hold" | "holdAfter" ? "held" : never);
type Rest<Name extends NodeChangeName> = Omit<BodyOf<Name>, Kept<Name>>;

interface Common {
  input?: Record<string, unknown>;
  broken?: boolean;
  artifacts?: { key: string; ref: ArtifactRef }[];
  /** Adds an outbox row for the task, which is due after so many milliseconds. */
  dispatchIn?: number;
  passed?: true;
  /** How long a person may take to answer, in milliseconds. */
  dueIn?: number;
  /** How long the node ran before this change, its first, in milliseconds. */
  tookMs?: number;
  /** The key under which later node runs find the result. */
  cacheKey?: string;
  /** Why the node runs, as a sentence. */
  why?: string;
  /** The node run whose output stands for this one's. */
  reusedFrom?: string;
  /** The route of a row that was made before its engine was chosen. */
  route?: NodeRoute;
  /** Chooses the engine of the row's node, with an event; the change is stale if the run has chosen another one. */
  choice?: EngineDecision;
}

/** One change, with everything that its event must say. */
export type NodeMove = {
  [Name in NodeChangeName]: { change: Name } & Common &
    When<BodyOf<Name>, "error", { error: RunEventError }> &
    When<BodyOf<Name>, "output", { output: Record<string, unknown> }> &
    (Name extends "hold" | "holdAfter" ? { held: "before" | "after" } : unknown) &
    (Name extends "dispatch" | "begin" | "ask" ? { input: Record<string, unknown> } : unknown) &
    (Record<never, unknown> extends Rest<Name> ? { body?: Rest<Name> } : { body: Rest<Name> });
}[NodeChangeName];

/**
 * A change of the row that has this fence; under another one it moves nothing. The changes of a run take turns with those of others where
 * they name it.
 */
export type NodeChange = NodeMove & { run?: string; nodeRun: string; fence: number };

/** Everything that any change may carry, for the records that write changes down. */
export type AnyChange = { nodeRun: string; fence: number; change: NodeChangeName; body?: object } & Common & {
    error?: RunEventError;
    output?: Record<string, unknown>;
    held?: "before" | "after";
  };

export interface ChangeRule {
  from: readonly NodeState[];
  to: NodeState;
  event: RunEvent["type"];
  raisesFence?: true;
  counts?: "attempt" | "crash";
}
export const ruleOf = (name: NodeChangeName): ChangeRule => NODE_CHANGES[name];

/** Whether a node run begins by a change, or gets its result at once. Without the change it is as if it had not begun. */
export function isBeginning(name: NodeChangeName): boolean {
  const { from, to } = ruleOf(name);
  return from.includes("queued") && !(ERROR_NODE_STATES as readonly NodeState[]).includes(to);
}

/** The body of a change's event. */
export function eventBody({ error, output, why, held, body }: AnyChange): Record<string, unknown> {
  const kept = { ...(error ? { error } : {}), ...(output ? { output } : {}), ...(why ? { why } : {}), ...(held ? { held } : {}) };
  return { ...kept, ...body };
}
