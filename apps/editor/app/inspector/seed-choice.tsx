import type { Graph } from "@spindle/graph-model";
import { nodeSettings } from "@spindle/graph-model";
import type { Sheet } from "@spindle/graph-model/shared-doc";
import { SEED_MODES, type SeedMode, seedMode, setSeedMode } from "../canvas/seeds";

interface Props {
  sheet: Sheet;
  graph: Graph;
  node: string;
  name: string;
  label: string;
}

/** What becomes of a seed at each run. */
export const SeedChoice = ({ sheet, graph, node, name, label }: Props) => (
  <div className="row text-small text-muted">
    <span>At each run</span>
    <select
      className="field"
      aria-label={`${label} at each run`}
      value={seedMode(nodeSettings(graph, node), name)}
      onChange={({ target }) => setSeedMode(sheet, graph, node, name, target.value as SeedMode)}
    >
      {Object.entries(SEED_MODES).map(([mode, word]) => (
        <option key={mode} value={mode}>
          {word}
        </option>
      ))}
    </select>
  </div>
);
