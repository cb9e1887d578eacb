// What a run does at a node, or at several, besides running it: nothing at all, or stop before or after it.
import type { NodeSettings } from "@spindle/graph-model";
import { Switch } from "radix-ui";
import { Row } from "../ui/row";

/** Shown where several nodes differ. */
export const VARIOUS = "Several values";

interface Props {
  /** The settings of the nodes that are set together. */
  settings: readonly NodeSettings[];
  onSet(name: "disabled" | "bypassed" | "breakpoint", value: unknown): void;
}

export function NodeControl({ settings, onSet }: Props) {
  const isOne = settings.length === 1;
  const points = new Set(settings.map(({ breakpoint }) => breakpoint ?? ""));
  const [point = ""] = points;
  const nodes = isOne ? "the node" : "the nodes";
  return (
    <section className="section">
      <h4>In a run</h4>
      <Row
        field="disabled"
        label="Off"
        hint={isOne ? "The node is skipped, and so is what only it leads to." : "The nodes are skipped, and so is what only they lead to."}
      >
        <Switch.Root
          className="switch"
          checked={settings.every(({ disabled }) => disabled === true)}
          onCheckedChange={(on) => onSet("disabled", on ? true : undefined)}
          aria-label="Off"
        >
          <Switch.Thumb />
        </Switch.Root>
      </Row>
      <Row
        field="bypassed"
        label="Bypassed"
        hint={isOne ? "The node does not run: it passes on what it takes." : "The nodes do not run: they pass on what they take."}
      >
        <Switch.Root
          className="switch"
          checked={settings.every(({ bypassed }) => bypassed === true)}
          onCheckedChange={(on) => onSet("bypassed", on ? true : undefined)}
          aria-label="Bypassed"
        >
          <Switch.Thumb />
        </Switch.Root>
      </Row>
      <Row field="breakpoint" label="Breakpoint" hint="The run stops there until somebody goes on.">
        <select
          className="field"
          aria-label="Breakpoint"
          value={points.size > 1 ? "various" : point}
          onChange={(event) => onSet("breakpoint", event.target.value || undefined)}
        >
          {points.size > 1 && (
            <option value="various" disabled>
              {VARIOUS}
            </option>
          )}
          <option value="">None</option>
          <option value="before">Before {nodes}</option>
          <option value="after">After {nodes}</option>
        </select>
      </Row>
    </section>
  );
}
