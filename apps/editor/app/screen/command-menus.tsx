// Menus made from the commands.

import type { Group } from "@spindle/schemas";
import { useState } from "react";
import { groupOfNodeId } from "../canvas/groups";
import { noteOfNodeId } from "../canvas/note-card";
import { type Selection, selectionOf } from "../canvas/selection";
import { keyWords } from "../ui/keys";
import { type MenuEntry, type MenuItem, RightClickMenu } from "../ui/menu";
import { Tip } from "../ui/tip";
import type { MenuPlace } from "./command";
import type { BoundCommand, Commands } from "./use-commands";

const menuItem = ({ title, icon: Icon, keys, why, danger, run }: BoundCommand): MenuItem => ({
  label: title,
  icon: Icon && <Icon size={16} />,
  keys: keys[0] && keyWords(keys[0]),
  why,
  danger: danger === true,
  onSelect: run,
});

/** The commands as a menu, with a line where another kind of them begins. */
export const menuItems = (commands: readonly BoundCommand[]): MenuEntry[] =>
  commands.flatMap((command, index) => {
    const before = commands[index - 1];
    const begins = before !== undefined && (before.group !== command.group || before.danger !== command.danger);
    return [...(begins ? ["line" as const] : []), menuItem(command)];
  });

interface CanvasMenuProps {
  commands: Commands;
  groups(): readonly Group[];
  /** Whether the node calls a subgraph. */
  isCall(node: string): boolean;
  selection: Selection;
  onSelect(next: Selection): void;
  children: React.ReactNode;
}

/** The menu of what lies under the pointer, which is selected first: a node, several, a wire or the canvas. */
export function CanvasMenu({ commands, groups, isCall, selection, onSelect, children }: CanvasMenuProps) {
  const [menu, setMenu] = useState<MenuPlace>("canvas");
  const aim = ({ target }: React.MouseEvent) => {
    if (!(target instanceof Element)) return;
    const drawn = target.closest(".react-flow__node")?.getAttribute("data-id") ?? undefined;
    const note = noteOfNodeId(drawn ?? "");
    const group = groups().find(({ id }) => id === groupOfNodeId(drawn ?? ""));
    const node = group || note ? undefined : drawn;
    const edge = target.closest(".react-flow__edge")?.getAttribute("data-id");
    if (note) {
      if (!selection.notes.has(note)) onSelect(selectionOf({ notes: [note] }));
      setMenu("note");
    } else if (group) {
      onSelect(selectionOf({ nodes: group.nodes }));
      setMenu("node");
    } else if (node) {
      if (!selection.nodes.has(node)) onSelect(selectionOf({ nodes: [node] }));
      setMenu("node");
    } else if (edge) {
      if (!selection.edges.has(edge)) onSelect(selectionOf({ edges: [edge] }));
      setMenu("edge");
    } else setMenu(selection.nodes.size > 0 && !target.closest(".react-flow__pane") ? "node" : "canvas");
  };
  const [only] = selection.nodes;
  const calls = menu === "node" && selection.nodes.size === 1 && only !== undefined && isCall(only);
  const items = [...(calls ? [...menuItems(commands.of("call")), "line" as const] : []), ...menuItems(commands.of(menu))];
  return (
    <RightClickMenu items={items}>
      {/* biome-ignore lint/a11y/noStaticElementInteractions: the menu key opens the menu too, and the commands have keys of their own */}
      <div className="canvas-area" onContextMenu={aim}>
        {children}
      </div>
    </RightClickMenu>
  );
}

/** What is reached for most, at the edge of the canvas. */
export function ToolColumn({ commands }: { commands: Commands }) {
  return (
    <div className="floating tool-column" role="toolbar" aria-label="Tools" aria-orientation="vertical">
      {commands.of("tools").map(({ id, title, icon: Icon, keys, why, run }) => (
        <Tip key={id} side="right" text={why ?? (keys[0] ? `${title} (${keyWords(keys[0])})` : title)}>
          <button
            type="button"
            className="button icon"
            aria-label={title}
            aria-disabled={why !== undefined}
            onClick={() => why === undefined && run()}
          >
            {Icon && <Icon size={16} />}
          </button>
        </Tip>
      ))}
    </div>
  );
}
