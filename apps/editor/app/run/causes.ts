// Issues in groups of one cause, so that thirty missing nodes of a pack are one thing to do.
import { edgeId, type Graph, type Issue, nodePack } from "@spindle/graph-model";

export interface Cause {
  title: string;
  severity: Issue["severity"];
  /** What is said of all of them, where that is the same. */
  fix: string | undefined;
  issues: readonly Issue[];
}

const TITLES: Readonly<Record<string, string>> = {
  "input.missing": "A value is needed",
  "param.invalid": "A value does not fit",
  "node.unknown_capability": "Not in the library",
  "node.unknown_version": "Another version",
  "node.unknown_engine": "No such engine",
  "node.engine_not_live": "The engine is not live",
  "engine.not_live": "No engine is live",
  "node.offline": "No worker",
  "node.bypassed": "Bypassed",
  "edge.type_mismatch": "The types of a wire do not fit",
  "edge.dangling": "A wire without an end",
  "edge.unknown_port": "A wire to no port",
  "edge.port_taken": "Two wires into one input",
  "edge.bad_condition": "A condition cannot be read",
  "edge.bad_map": "A wire cannot fan out",
  "graph.cycle": "A cycle",
  "graph.bad_loop": "A loop that is none",
  "region.not_convex": "A ComfyUI prompt depends on itself",
  "region.control": "A wire inside a ComfyUI prompt",
  "region.no_server": "No ComfyUI has all of it",
  "edge.not_passed": "Nothing passed on by a bypassed node",
  "import.unsupported": "Left out by the import",
  "import.value": "Changed by the import",
  "metadata.unknown": "Nothing reads it",
  "input.for_run": "Asked when it runs",
  "node.disabled": "Off",
};

const RANK: Readonly<Record<Issue["severity"], number>> = { error: 0, warning: 1, info: 2 };

/** Errors first; within them in the order of the graph. */
export function causesOf(graph: Graph, issues: readonly Issue[]): Cause[] {
  const groups = new Map<string, Issue[]>();
  for (const issue of issues) {
    const pack = issue.code === "node.unknown_capability" && issue.place.node !== undefined ? nodePack(graph, issue.place.node) : undefined;
    const key = `${issue.severity} ${issue.code} ${pack ?? ""}`;
    const known = groups.get(key);
    if (known) known.push(issue);
    else groups.set(key, [issue]);
  }
  return [...groups.values()]
    .map((of): Cause => {
      const [first] = of as [Issue];
      const fixes = new Set(of.map(({ fix }) => fix));
      const pack = first.place.node === undefined ? undefined : nodePack(graph, first.place.node);
      const title = TITLES[first.code] ?? "The graph";
      return {
        title: first.code === "node.unknown_capability" && pack ? `Of the node pack ${pack}` : title,
        severity: first.severity,
        fix: fixes.size === 1 ? first.fix : undefined,
        issues: of,
      };
    })
    .toSorted((one, other) => RANK[one.severity] - RANK[other.severity]);
}

const OF_ENGINES: readonly Issue["code"][] = ["node.unknown_engine", "node.engine_not_live", "engine.not_live", "node.offline"];

/** What a person is shown of an issue: a node, with the field that it is about; or a wire, with the node that it leads to. */
export function placeOf(graph: Graph, { code, place }: Issue): { node?: string; edge?: string; field?: string } {
  const wire = place.edge === undefined ? undefined : graph.edges.find((each, index) => edgeId(each, index) === place.edge);
  const node = place.node ?? wire?.to;
  const field = place.port ?? (OF_ENGINES.includes(code) ? "engine" : undefined);
  return {
    ...(node === undefined ? {} : { node }),
    ...(wire && place.edge !== undefined ? { edge: place.edge } : field === undefined ? {} : { field }),
  };
}
