// What commands write: the graph of a document, or one of its definitions.
import * as Y from "yjs";
import type { Graph } from "../graph.ts";
import { graphInside } from "../subgraphs.ts";
import { nodesOf } from "./layout.ts";
import { normalise } from "./normalise.ts";

/** A definition of a document, for every command that writes nodes, edges and the lists around them. */
export class DefinitionSheet {
  constructor(
    readonly doc: Y.Doc,
    readonly definition: string,
  ) {}

  transact<T>(edit: () => T, origin: unknown): T {
    return this.doc.transact(edit, origin);
  }
}

/** A document stands for its graph. */
export type Sheet = Y.Doc | DefinitionSheet;

export const docOf = (sheet: Sheet): Y.Doc => (sheet instanceof Y.Doc ? sheet : sheet.doc);
export const definitionOf = (sheet: Sheet): string | undefined => (sheet instanceof Y.Doc ? undefined : sheet.definition);

/** Another sheet of the same document. @param definition the graph itself where undefined */
export const sheetOn = (sheet: Sheet, definition: string | undefined): Sheet =>
  definition === undefined ? docOf(sheet) : new DefinitionSheet(docOf(sheet), definition);

/** What is on the sheet now. A definition that is gone has no nodes. */
export function sheetGraph(sheet: Sheet): Graph {
  const { graph } = normalise(docOf(sheet));
  const definition = definitionOf(sheet);
  return definition === undefined ? graph : (graphInside(graph, definition) ?? { ...graph, nodes: [] as never, edges: [] });
}

/** The nodes that are on the sheet now, without a look at anything else of the graph. */
export const nodeIdsOf = (sheet: Sheet): Iterable<string> =>
  sheet instanceof Y.Doc ? nodesOf(sheet).keys() : sheetGraph(sheet).nodes.map(({ id }) => id);
