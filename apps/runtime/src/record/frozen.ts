// What a run freezes of its nodes (DESIGN M4).

/** What a run froze of a node when it started, or since then of one that found no live engine. */
export interface FrozenNode {
  plane: string;
  service: string;
  version: string;
  /** Empty while none is chosen. */
  engine: string;
  draft: boolean;
  /** Of the engine, as it was when it was chosen; absent where it has none. */
  licence?: string;
  timeoutSeconds: number;
  /** How long it may go without progress; absent where that has no limit. */
  stallSeconds?: number;
  /** The nodes of a region. */
  nodes?: readonly string[];
  /** The hash of the ComfyUI workflow that its engine is. */
  workflow?: string;
}

/** Where a node run goes, and for how long. */
export type NodeRoute = Omit<FrozenNode, "nodes" | "workflow" | "licence">;

export interface NewNodeRun extends NodeRoute {
  nodeId: string;
  path: string;
}

/** The frozen nodes of one level, by id. */
export type FrozenLevel = Record<string, FrozenNode>;

/** The frozen nodes by the name of their definition, which is empty for the graph itself, and by id. */
export type FrozenNodes = Record<string, FrozenLevel>;

/** The engine that a node run chooses for its node in the whole run. */
export interface EngineDecision {
  /** The name of the definition; empty for the graph itself. */
  level: string;
  /** What the run freezes by it: the node, or a region with its nodes. */
  nodes: FrozenLevel;
}

/** Definitions of capabilities, and workflows that are engines, by the hash of their canonical text. */
export type FrozenBodies = ReadonlyMap<string, object>;
