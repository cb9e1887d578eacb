import type { Graph } from "@spindle/graph-model";
import { nodeSettings } from "@spindle/graph-model";
import type * as Y from "yjs";
import { SEED_MODES, type SeedMode, seedMode, setSeedMode } from "../canvas/seeds";

interface Props {
  doc: Y.Doc;
  graph: Graph;
  node: string;
  name: string;
  label: string;
}

/** What becomes of a seed at each run. */
export const SeedChoice = ({ doc, graph, node, name, label }: Props) => (
  <div className="row text-small text-muted">
    <span>At each run</span>
    <select
      className="field"
      aria-label={`${label} at each run`}
      value={seedMode(nodeSettings(graph, node), name)}
      onChange={({ target }) => setSeedMode(doc, graph, node, name, target.value as SeedMode)}
    >
      {Object.entries(SEED_MODES).map(([mode, word]) => (
        <option key={mode} value={mode}>
          {word}
        </option>
      ))}
    </select>
  </div>
);
