// All commands, and what they may be about: nodes of the graph to go to, nodes of the library to add. Found by a few letters.
import { type Graph, type Library, type NodeDefinition, nodeTitle } from "@spindle/graph-model";
import { searchOf } from "@spindle/node-library";
import { Command, defaultFilter } from "cmdk";
import { Plus } from "lucide-react";
import { useMemo, useState } from "react";
import { Dialog } from "../ui/dialog";
import { keyWords } from "../ui/keys";
import { PlaneMark } from "../ui/plane-mark";
import { GROUPS } from "./command";
import type { BoundCommand } from "./use-commands";

/** How many nodes of the graph, and of the library, are listed, best first. */
const MOST_FOUND = 20;

interface Props {
  commands: readonly BoundCommand[];
  graph: Graph;
  library: Library;
  onAdd(definition: NodeDefinition): void;
  onJump(node: string): void;
  onClose(): void;
}

export function CommandBar({ commands, graph, library, onAdd, onJump, onClose }: Props) {
  const [text, setText] = useState("");
  const search = useMemo(() => searchOf(library), [library]);
  const wanted = text.trim();
  const best = <T,>(list: readonly T[], words: (item: T) => string): T[] =>
    list
      .map((item) => ({ item, score: defaultFilter(words(item), wanted) }))
      .filter(({ score }) => score > 0)
      .sort((a, b) => b.score - a.score)
      .map(({ item }) => item);
  const found = wanted ? best(commands, ({ title, group }) => `${title} ${group}`) : commands;
  const nodes = wanted ? best(graph.nodes, nodeTitle).slice(0, MOST_FOUND) : [];
  const definitions = wanted ? search(wanted).slice(0, MOST_FOUND) : [];
  const close = (act: () => void) => () => {
    onClose();
    act();
  };
  return (
    <Dialog title="All commands" isTitleHidden className="command-bar" onClose={onClose}>
      <Command shouldFilter={false} loop label="All commands">
        <Command.Input value={text} onValueChange={setText} placeholder="Search commands and nodes" className="command-input" />
        <Command.List className="command-list">
          <Command.Empty className="text-faint text-small command-empty">Nothing is called that.</Command.Empty>
          {GROUPS.map((group) => {
            const list = found.filter((command) => command.group === group && command.id !== "commands");
            if (list.length === 0) return null;
            return (
              <Command.Group key={group} heading={group}>
                {list.map(({ id, title, icon: Icon, keys, why, run }) => (
                  <Command.Item key={id} value={id} disabled={why !== undefined} onSelect={close(run)} className="menu-item">
                    {Icon ? <Icon size={16} /> : <span className="menu-icon" />}
                    {title}
                    {why ? (
                      <span className="text-tiny text-faint">{why}</span>
                    ) : (
                      keys[0] && <kbd className="text-tiny">{keyWords(keys[0])}</kbd>
                    )}
                  </Command.Item>
                ))}
              </Command.Group>
            );
          })}
          {nodes.length > 0 && (
            <Command.Group heading="In this graph">
              {nodes.map((node) => (
                <Command.Item key={node.id} value={`node ${node.id}`} onSelect={close(() => onJump(node.id))} className="menu-item">
                  <PlaneMark plane={node.plane} small />
                  <span className="ellipsis">{nodeTitle(node)}</span>
                </Command.Item>
              ))}
            </Command.Group>
          )}
          {definitions.length > 0 && (
            <Command.Group heading="Add a node">
              {definitions.map((definition) => (
                <Command.Item
                  key={`${definition.plane} ${definition.service}`}
                  value={`add ${definition.plane} ${definition.service}`}
                  onSelect={close(() => onAdd(definition))}
                  className="menu-item"
                >
                  <Plus size={16} />
                  <span className="ellipsis">{definition.label}</span>
                  <span className="text-tiny text-faint monospace">{definition.service}</span>
                </Command.Item>
              ))}
            </Command.Group>
          )}
        </Command.List>
      </Command>
    </Dialog>
  );
}
