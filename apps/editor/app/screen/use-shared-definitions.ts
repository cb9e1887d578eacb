// The subgraphs that are shared with every graph, in their newest versions, and those that a graph has copies of.
import { definitionNames, type Graph, type Library, type NodeDefinition } from "@spindle/graph-model";
import { withEntries } from "@spindle/node-library";
import { useQueries, useQuery, useQueryClient } from "@tanstack/react-query";
import { useEffect, useMemo, useRef } from "react";
import { isEdited, linkOf } from "../canvas/definitions";
import { documentOf, follow, type NewestVersion, setLink, sharedEntry, whyNotFollowed } from "../canvas/linked";
import { useTRPC, useTRPCClient } from "../session/provider";
import { asOwnStep, type DocumentState } from "../session/use-document";
import { toast, toastError } from "../ui/toast";

/** A copy that a graph has of a shared subgraph. */
export interface Copy {
  /** The name of the copy in the graph. */
  name: string;
  /** What it is a copy of; undefined while that is not known. */
  base: Graph | undefined;
  isHeld: boolean;
  isEdited: boolean;
  version: string;
  /** The newest version, if that is another one. */
  newer: { head: NewestVersion; document: Graph } | undefined;
}

export interface Sharing {
  copyOf(name: string | undefined): Copy | undefined;
  /** Shares a definition, or its next version if it is a copy already. */
  share(name: string): void;
}

const AGAIN_MS = 5000;
const NONE: readonly NewestVersion[] = [];
const keyOfVersion = ({ definition, version }: Pick<NewestVersion, "definition" | "version">): string => `${definition} ${version}`;

/** @param library without what is shared */
export function useSharedDefinitions(shared: DocumentState | undefined, library: Library): { library: Library; sharing: Sharing } {
  const trpc = useTRPC();
  const api = useTRPCClient();
  const client = useQueryClient();
  const { data: heads = NONE } = useQuery({ ...trpc.definitions.list.queryOptions(), refetchInterval: AGAIN_MS });
  const graph = shared?.graph;
  const links = useMemo(() => (graph ? definitionNames(graph).flatMap((name) => linkOf(graph, name) ?? []) : []), [graph]);
  const wanted = useMemo(() => {
    const versions = [...heads, ...links].map(({ definition, version }) => ({ definition, version }));
    return [...new Map(versions.map((one) => [keyOfVersion(one), one])).values()];
  }, [heads, links]);
  const found = useQueries({
    // A version never changes.
    queries: wanted.map((version) => ({ ...trpc.definitions.get.queryOptions(version), staleTime: Number.POSITIVE_INFINITY })),
    combine: (results) => results.map(({ data }) => data as Graph | undefined),
  });
  const documents = useMemo(
    () => new Map(wanted.flatMap((version, index) => (found[index] ? [[keyOfVersion(version), found[index]] as const] : []))),
    [wanted, found],
  );
  const entries = useMemo(
    () =>
      heads.flatMap((head): NodeDefinition[] => {
        const document = documents.get(keyOfVersion(head));
        return document ? [sharedEntry(head, document, library)] : [];
      }),
    [heads, documents, library],
  );
  const copyOf = (name: string | undefined): Copy | undefined => {
    const link = graph && name !== undefined ? linkOf(graph, name) : undefined;
    if (!graph || !link || name === undefined) return undefined;
    const base = documents.get(keyOfVersion(link));
    const head = heads.find(({ definition, version }) => definition === link.definition && Number(version) > Number(link.version));
    const document = head && documents.get(keyOfVersion(head));
    return {
      name,
      base,
      isHeld: link.held === true,
      isEdited: base !== undefined && isEdited(graph, name, base),
      version: link.version,
      newer: head && document && { head, document },
    };
  };
  useFollowing(shared, library, documents, copyOf);
  const share = async (name: string) => {
    if (!shared || !graph) return;
    const document = documentOf(graph, name);
    const link = linkOf(graph, name);
    if (!document) return;
    try {
      const after = link && { definition: link.definition, version: link.version };
      const now = await api.definitions.share.mutate({ document: document as never, ...(after ? { after } : {}) });
      asOwnStep(shared, () => setLink(shared.sheet, shared.graph, name, { ...(link?.held ? { held: true } : {}), ...now }));
      await client.invalidateQueries({ queryKey: trpc.definitions.list.queryKey() });
      toast("info", after ? `Version ${now.version} of ${name} is shared.` : `${name} is in the library of every graph.`);
    } catch (error) {
      toastError(error);
    }
  };
  return {
    library: useMemo(() => withEntries(library, entries), [library, entries]),
    sharing: { copyOf, share: (name) => void share(name) },
  };
}

/** Copies follow while somebody has the graph open; each page writes the same, so that it does not matter which comes first. */
function useFollowing(
  shared: DocumentState | undefined,
  library: Library,
  documents: ReadonlyMap<string, Graph>,
  copyOf: Sharing["copyOf"],
): void {
  const said = useRef(new Set<string>());
  const graph = shared?.graph;
  // biome-ignore lint/correctness/useExhaustiveDependencies: a copy is looked at again after an edit, or when a version is there
  useEffect(() => {
    if (!shared?.loaded || !shared.online || !graph) return;
    for (const name of definitionNames(graph)) {
      const copy = copyOf(name);
      const link = linkOf(graph, name);
      if (!copy?.newer || !copy.base || !link) continue;
      const { head, document } = copy.newer;
      const why = whyNotFollowed(graph, name, copy.base, document, library);
      if (why === undefined) {
        follow(shared.sheet, name, document, { definition: head.definition, version: head.version });
        toast("info", `${name} is at version ${head.version} of the library now.`);
        return; // the others follow in the graph that this makes
      }
      const key = `${name} ${keyOfVersion(head)}`;
      if (copy.isHeld || said.current.has(key)) continue;
      said.current.add(key);
      toast("info", `There is version ${head.version} of ${name}, and this graph stays at version ${link.version}. ${why}`);
    }
  }, [graph, documents, library, shared?.online]);
}
