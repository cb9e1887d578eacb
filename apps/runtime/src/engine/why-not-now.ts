// Why a run would not be accepted now: nodes that would run, and whose engines are all away (DESIGN M4, decisions/0013).
import { enginesNotLive, type Graph, type Library, type NotLive } from "@spindle/graph-model";
import { Refused } from "../refused.ts";
import type { Reuse } from "./reuse.ts";

/** Workers report every other second; one that starts needs a few. */
const RETRY_AFTER_SECONDS = 5;

/** @param reuse knows what is not part of the run, and what stands for a node that is */
export async function whyNotNow(graph: Graph, library: Library, reuse: Reuse): Promise<NotLive[]> {
  const found: NotLive[] = [];
  for (const away of enginesNotLive(graph, library)) {
    const role = reuse.role(away.node);
    if (role === "leave" || (role === "keep" && (await reuse.earlier(away.node)))) continue;
    found.push(away);
  }
  return found;
}

/** @throws Refused 503 with the node, the capability and what to do, if there is one */
export function assertNow(found: readonly NotLive[]): void {
  const [first, ...others] = found.map((one) => one.issue);
  if (!first) return;
  const more = others.length > 0 ? ` The same holds for ${others.length} more of its nodes.` : "";
  throw new Refused(503, "engine.not_live", `${first.message}${more} ${first.fix ?? ""}`.trim(), {
    issues: [first, ...others],
    retryAfterSeconds: RETRY_AFTER_SECONDS,
  });
}
