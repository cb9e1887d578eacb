// The path of a node run within its run (SPEC RP).

export interface RunPath {
  /** The calls around it, outermost first: node ids, `#element` included. Empty for the graph itself. */
  calls: readonly string[];
  /** The visit of each loop around the node, outermost loop first. */
  visits: readonly { loop: string; index: number }[];
  node: string;
  /** The element of a map that the node run is; undefined for the node itself. */
  element?: number;
}

const VISIT = /^(loop:.+)\[(\d+)\]$/;

export function parsePath(path: string): RunPath {
  const parts = path.split("/");
  const [node = "", element] = (parts.pop() ?? "").split("#");
  const calls: string[] = [];
  let visits: { loop: string; index: number }[] = [];
  for (const part of parts) {
    const visit = VISIT.exec(part);
    if (visit) visits.push({ loop: visit[1] as string, index: Number(visit[2]) });
    else {
      calls.push(part);
      visits = [];
    }
  }
  return { calls, visits, node, ...(element === undefined ? {} : { element: Number(element) }) };
}

/** The node runs that stand for their nodes: those of the last visit, without elements of a map and without calls. */
export function lastVisits<T extends { path: string }>(rows: readonly T[]): T[] {
  const found = new Map<string, { row: T; visits: readonly { index: number }[] }>();
  for (const row of rows) {
    const { calls, visits, node, element } = parsePath(row.path);
    if (calls.length > 0 || element !== undefined) continue;
    const known = found.get(node);
    if (!known || isLater(visits, known.visits)) found.set(node, { row, visits });
  }
  return [...found.values()].map(({ row }) => row);
}

function isLater(a: readonly { index: number }[], b: readonly { index: number }[]): boolean {
  const at = a.findIndex((visit, index) => visit.index !== b[index]?.index);
  return at >= 0 && (a[at]?.index ?? 0) > (b[at]?.index ?? -1);
}
