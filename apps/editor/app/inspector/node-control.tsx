// What a run does at a node besides running it: nothing at all, or stop before or after it.
import { type Graph, nodeSettings } from "@spindle/graph-model";
import { setSetting } from "@spindle/graph-model/shared-doc";
import { Switch } from "radix-ui";
import type * as Y from "yjs";
import { ME } from "../session/use-document";
import { Row } from "../ui/row";

export function NodeControl({ doc, graph, id }: { doc: Y.Doc; graph: Graph; id: string }) {
  const { disabled, breakpoint } = nodeSettings(graph, id);
  return (
    <section className="section">
      <h4>In a run</h4>
      <Row label="Off" hint="The node is skipped, and so is what only it leads to.">
        <Switch.Root
          className="switch"
          checked={disabled === true}
          onCheckedChange={(on) => setSetting(doc, ME, id, "disabled", on ? true : undefined)}
          aria-label="Off"
        >
          <Switch.Thumb />
        </Switch.Root>
      </Row>
      <Row label="Breakpoint" hint="The run stops there until somebody goes on.">
        <select
          className="field"
          aria-label="Breakpoint"
          value={breakpoint ?? ""}
          onChange={(event) => setSetting(doc, ME, id, "breakpoint", event.target.value || undefined)}
        >
          <option value="">None</option>
          <option value="before">Before the node</option>
          <option value="after">After the node</option>
        </select>
      </Row>
    </section>
  );
}
