// A group: the frame around its cards, or one card in their place while it is collapsed.

import { removeEntry } from "@spindle/graph-model/shared-doc";
import type { Group } from "@spindle/schemas";
import { Handle, type Node, type NodeProps, Position } from "@xyflow/react";
import { ChevronsDownUp, ChevronsUpDown, Palette, Ungroup } from "lucide-react";
import { ME } from "../session/use-document";
import { Menu } from "../ui/menu";
import { NameField } from "../ui/name-field";
import { useCanvas } from "./canvas-context";
import { COLOURS, type FoldedPort, setGroup } from "./groups";
import { selectionOf } from "./selection";

interface Row extends FoldedPort {
  label: string;
}

export type GroupNode = Node<{ group: Group; inputs: Row[]; outputs: Row[]; isSelected: boolean }, "group">;

const NAMES = ["Blue", "Teal", "Pink", "Amber", "Red", "Grey"];

export function GroupCard({ data: { group, inputs, outputs, isSelected } }: NodeProps<GroupNode>) {
  const { sheet, select } = useCanvas();
  const count = group.nodes.length;
  return (
    <section
      className={`canvas-frame canvas-group${group.collapsed ? " collapsed" : ""}${isSelected ? " on" : ""}`}
      style={{ "--frame": group.colour ?? "var(--line-strong)" } as React.CSSProperties}
      aria-label={`Group ${group.title}`}
    >
      {/* biome-ignore lint/a11y/noStaticElementInteractions: its nodes are selected by keys too */}
      <header className="group-head" onClick={() => select(selectionOf({ nodes: group.nodes }))}>
        <NameField label="Group title" name={group.title} onRename={(title) => setGroup(sheet, group.id, { title })} />
        {group.collapsed && <span className="text-faint text-small">{count === 1 ? "1 node" : `${count} nodes`}</span>}
        <Menu
          trigger={
            <button type="button" className="button icon quiet nodrag" aria-label={`Colour of ${group.title}`}>
              <Palette size={14} />
            </button>
          }
          items={COLOURS.map((colour, index) => ({
            label: NAMES[index] ?? colour,
            icon: <span className="colour-dot" style={{ background: colour }} />,
            onSelect: () => setGroup(sheet, group.id, { colour }),
          }))}
        />
        <button
          type="button"
          className="button icon quiet nodrag"
          aria-label={`${group.collapsed ? "Open" : "Collapse"} ${group.title}`}
          onClick={() => setGroup(sheet, group.id, { collapsed: !group.collapsed })}
        >
          {group.collapsed ? <ChevronsUpDown size={14} /> : <ChevronsDownUp size={14} />}
        </button>
        <button
          type="button"
          className="button icon quiet nodrag"
          aria-label={`Ungroup ${group.title}`}
          onClick={() => removeEntry(sheet, ME, "groups", group.id)}
        >
          <Ungroup size={14} />
        </button>
      </header>
      {group.collapsed && (
        <div className="ports">
          {Array.from({ length: Math.max(inputs.length, outputs.length) }, (_, row) => {
            const [input, output] = [inputs[row], outputs[row]];
            return (
              <div className="port-row" key={`${input?.id} ${output?.id}`}>
                {input && (
                  <Handle id={input.id} type="target" position={Position.Left} className="port in" isConnectable={false} data-kind="json" />
                )}
                {input && (
                  <span className="ellipsis" title={input.label}>
                    {input.label}
                  </span>
                )}
                {output && (
                  <span className="ellipsis at-end" title={output.label}>
                    {output.label}
                  </span>
                )}
                {output && (
                  <Handle
                    id={output.id}
                    type="source"
                    position={Position.Right}
                    className="port out"
                    isConnectable={false}
                    data-kind="json"
                  />
                )}
              </div>
            );
          })}
        </div>
      )}
    </section>
  );
}
