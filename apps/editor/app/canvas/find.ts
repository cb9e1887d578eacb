// Finds nodes by what they are called, what is set on them, what their ports carry and what is wrong with them.
import { type Graph, type Issue, type Library, nodePosition, nodeTitle, type ResolvedNode, resolve } from "@spindle/graph-model";

/** What `is:` may ask. */
const IS: Readonly<Record<string, (node: ResolvedNode, invalid: ReadonlySet<string>) => boolean>> = {
  invalid: ({ node }, invalid) => invalid.has(node.id),
  off: ({ settings }) => settings.disabled === true,
  pinned: ({ settings }) => settings.pinned !== undefined,
  breakpoint: ({ settings }) => settings.breakpoint !== undefined,
  bypassed: ({ settings }) => settings.bypassed === true,
  draft: ({ engine }) => engine?.draft === true,
  offline: ({ definition }) => definition?.live === false,
  unknown: ({ definition }) => definition === undefined,
};
export const IS_WORDS = Object.keys(IS);

/** What the search field says it can find. */
export const FIND_HINT = "Name, parameter or value; is:invalid, is:off, type:video, uses:";

type Test = (node: ResolvedNode) => boolean;

/**
 * The ids of the nodes that answer every word, from left to right and downwards. A word in quotes may have spaces. Undefined if nothing
 * was asked.
 */
export function find(graph: Graph, library: Library, issues: readonly Issue[], asked: string): string[] | undefined {
  const words = [...asked.matchAll(/(\w+:)?(?:"([^"]*)"?|(\S+))/g)].flatMap(([, key = "", quoted, bare = ""]) => {
    const text = (quoted ?? bare).toLowerCase();
    return text === "" ? [] : [{ key: key.slice(0, -1), text }];
  });
  if (words.length === 0) return undefined;
  const invalid = new Set(issues.flatMap(({ severity, place }) => (severity === "error" && place.node !== undefined ? [place.node] : [])));
  const tests = words.map(({ key, text }): Test => {
    if (key === "is") return (node) => Object.hasOwn(IS, text) && IS[text]?.(node, invalid) === true;
    if (key === "type")
      return ({ definition }) =>
        [...(definition?.inputs ?? []), ...(definition?.outputs ?? [])].some((port) => port.type.toLowerCase() === text);
    if (key === "uses") return (node) => usedBy(node).some((one) => one.toLowerCase().includes(text));
    // An address has a colon too.
    const whole = key === "" ? text : `${key}:${text}`;
    return (node) => saidBy(node).some((one) => one.toLowerCase().includes(whole));
  });
  const place = (id: string) => nodePosition(graph, id) ?? { x: 0, y: 0 };
  return resolve(graph, library)
    .root.nodes.filter((node) => tests.every((answers) => answers(node)))
    .map(({ node }) => ({ id: node.id, ...place(node.id) }))
    .sort((a, b) => a.x - b.x || a.y - b.y)
    .map(({ id }) => id);
}

/** The capability, the engine, and the definition that it calls. */
const usedBy = ({ node, definition, engine }: ResolvedNode): string[] =>
  [node.service, definition?.label, engine?.id, engine?.label, node.params?.definition].filter(
    (one): one is string => typeof one === "string",
  );

const saidBy = ({ node, definition }: ResolvedNode): string[] => [
  nodeTitle(node),
  node.id,
  node.service,
  definition?.label ?? "",
  ...Object.entries(node.params ?? {}).flatMap(([name, value]) => [
    name,
    typeof value === "string" ? value : (JSON.stringify(value) ?? ""),
  ]),
];
