// Wiring by keys: a port of the node that is selected, then a port of another node that fits it.
import { type Graph, type Library, type Port, type PortAddress, portKind, resolve } from "@spindle/graph-model";
import { connect, definitionOf, type Sheet } from "@spindle/graph-model/shared-doc";
import { useStoreApi } from "@xyflow/react";
import { Command } from "cmdk";
import { Popover } from "radix-ui";
import { useEffect, useMemo, useRef, useState } from "react";
import { create } from "zustand";
import { asOwnStep, ME, type SharedDocument } from "../session/use-document";
import { useReturnOfFocus } from "../ui/focus";
import { KeyHints } from "../ui/key-hints";
import { announce } from "../ui/said";
import { DrawnLink } from "./drawn-link";
import { titleIn } from "./edits";
import { cardBoxes } from "./free-place";
import { answerOf, isRail, NEW_PORT, RAIL, railsOf, wireRail } from "./rails";
import { type Selection, selectionOf } from "./selection";

const useConnecting = create<{ node: string | undefined }>(() => ({ node: undefined }));
export const startConnecting = (node: string | undefined): void => useConnecting.setState({ node });
const close = () => startConnecting(undefined);

interface Props {
  shared: SharedDocument;
  graph: Graph;
  library: Library;
  onSelect(next: Selection): void;
}

export function ConnectDialog(props: Props) {
  const node = useConnecting((state) => state.node);
  useEffect(() => close, []);
  return node !== undefined && props.graph.nodes.some((one) => one.id === node) ? <Chooser {...props} node={node} /> : null;
}

interface OwnPort {
  port: Port;
  isOutput: boolean;
}
interface Target {
  at: PortAddress;
  title: string;
  port: Pick<Port, "label" | "type">;
  note: string;
  /** Why a wire may not end there. */
  why?: string;
}

function Chooser({ shared, graph, library, onSelect, node }: Props & { node: string }) {
  const store = useStoreApi();
  const definition = resolve(graph, library).root.node(node)?.definition;
  const ports: OwnPort[] = [
    ...(definition?.outputs ?? []).map((port) => ({ port, isOutput: true })),
    ...(definition?.inputs ?? []).map((port) => ({ port, isOutput: false })),
  ];
  const [own, setOwn] = useState<OwnPort | undefined>(ports.length === 1 ? ports[0] : undefined);
  const [text, setText] = useState("");
  const [marked, setMarked] = useState("");
  const boxes = useMemo(() => cardBoxes(shared.sheet, store.getState()), [shared.sheet, store]);
  const targets = useMemo(
    () => (own ? targetsOf(shared.sheet, graph, library, { node, port: own.port.name }, own.isOutput, boxes) : []),
    [shared.sheet, graph, library, node, own, boxes],
  );
  const anchor = useRef({
    getBoundingClientRect: () =>
      document.querySelector(`.react-flow__node[data-id="${CSS.escape(node)}"]`)?.getBoundingClientRect() ?? new DOMRect(),
  });
  const returnFocus = useReturnOfFocus();
  const join = ({ at, title }: Target) => {
    const [from, to] = own?.isOutput ? [{ node, port: own.port.name }, at] : [at, { node, port: own?.port.name ?? "" }];
    const answer = answerOf(graph, library, from, to);
    close();
    if (!answer.ok) return announce(answer.reason);
    if (isRail(at.node)) {
      asOwnStep(shared, () => wireRail(shared.sheet, graph, library, from, to));
      return announce(`${titleIn(graph, node)} was connected to the subgraph's ${own?.isOutput ? "outputs" : "inputs"}.`);
    }
    const made = asOwnStep(shared, () => connect(shared.sheet, ME, from, to, answer.as));
    announce(`${titleIn(graph, node)} was connected to ${title}.`);
    // The edge became a loop or a map: its settings are shown.
    if (answer.as) onSelect(selectionOf({ edges: [made] }));
  };
  const fitting = targets.filter(({ why }) => why === undefined);
  const unfit = targets.filter(({ why }) => why !== undefined).slice(0, MOST_UNFIT);
  const aimed = fitting.find((one) => keyOf(one.at) === marked);
  const back = () => {
    setText("");
    if (own && ports.length > 1) setOwn(undefined);
    else close();
  };
  return (
    <Popover.Root open onOpenChange={(open) => !open && close()}>
      <Popover.Anchor virtualRef={anchor} />
      {own && aimed && <DrawnLink from={{ node, port: own.port.name }} isOutput={own.isOutput} to={aimed.at} />}
      <Popover.Portal>
        <Popover.Content
          className="palette"
          aria-label="Connect the node"
          side="right"
          align="start"
          sideOffset={12}
          collisionPadding={8}
          onCloseAutoFocus={returnFocus}
          onEscapeKeyDown={(event) => {
            event.preventDefault();
            back();
          }}
        >
          <Command loop label="Ports" vimBindings={false} value={marked} onValueChange={setMarked}>
            <div className="palette-search">
              <Command.Input
                autoFocus
                value={text}
                onValueChange={setText}
                placeholder={own ? `Connect ${own.port.label} ${own.isOutput ? "to" : "from"}` : `A port of ${titleIn(graph, node)}`}
                onKeyDown={(event) => {
                  // Tab goes on through the ports that fit, as the arrows do.
                  if (event.key !== "Tab") return;
                  event.preventDefault();
                  const key = event.shiftKey ? "ArrowUp" : "ArrowDown";
                  event.currentTarget.dispatchEvent(new KeyboardEvent("keydown", { key, bubbles: true }));
                }}
              />
            </div>
            <Command.List className="palette-list">
              <Command.Empty className="text-faint text-small command-empty">
                {own ? "No port of another node is called so." : "The node has no ports."}
              </Command.Empty>
              {own
                ? [fitting, unfit].map((list, index) => (
                    <Command.Group
                      key={index === 0 ? "fits" : "unfit"}
                      className="palette-group"
                      heading={list.length === 0 ? undefined : index === 0 ? "Fits" : "Does not fit, and why"}
                    >
                      {list.map((target) => (
                        <Command.Item
                          key={keyOf(target.at)}
                          value={keyOf(target.at)}
                          keywords={[target.title, target.port.label]}
                          className="palette-offer"
                          disabled={target.why !== undefined}
                          onSelect={() => join(target)}
                        >
                          <PortWords port={target.port} title={`${target.title}: ${target.port.label}`} note={target.why ?? target.note} />
                        </Command.Item>
                      ))}
                    </Command.Group>
                  ))
                : ports.map((each) => (
                    <Command.Item
                      key={`${each.isOutput} ${each.port.name}`}
                      value={`${each.isOutput ? "output" : "input"} ${each.port.name}`}
                      keywords={[each.port.label]}
                      className="palette-offer"
                      onSelect={() => {
                        setText("");
                        setOwn(each);
                      }}
                    >
                      <PortWords port={each.port} title={each.port.label} note={each.isOutput ? "Output" : "Input"} />
                    </Command.Item>
                  ))}
            </Command.List>
            <KeyHints
              keys={[
                ["Enter", own ? "Connect" : "Choose the port"],
                ["Esc", own && ports.length > 1 ? "Back" : "Close"],
              ]}
            />
          </Command>
        </Popover.Content>
      </Popover.Portal>
    </Popover.Root>
  );
}

const keyOf = ({ node, port }: PortAddress): string => `${node} ${port}`;

function PortWords({ port, title, note }: { port: Pick<Port, "label" | "type">; title: string; note: string }) {
  return (
    <>
      <span className="palette-port" data-type={port.type} data-kind={portKind(port.type)}>
        <i className="palette-dot" />
      </span>
      <span className="palette-words">
        <b className="ellipsis">{title}</b>
        <span className="ellipsis text-small text-faint">
          {port.type}
          {note && `. ${note}`}
        </span>
      </span>
    </>
  );
}

/** As many as are read before a person looks for another port. */
const MOST_UNFIT = 20;

/** Ports of other nodes, and of the subgraph that is shown: the nearest card first. Those at which no wire may end say why. */
function targetsOf(
  sheet: Sheet,
  graph: Graph,
  library: Library,
  own: PortAddress,
  isOutput: boolean,
  boxes: ReturnType<typeof cardBoxes>,
): Target[] {
  const origin = boxes.get(own.node);
  const far = (id: string) => {
    const box = boxes.get(id);
    return box && origin ? Math.hypot(box.x - origin.x, box.y - origin.y) : Number.POSITIVE_INFINITY;
  };
  const targetAt = (at: PortAddress, title: string, port: Target["port"]): Target => {
    const answer = isOutput ? answerOf(graph, library, own, at) : answerOf(graph, library, at, own);
    if (!answer.ok) return { at, title, port, note: "", why: answer.reason };
    const how = answer.as === "loop" ? "Leads back: it repeats." : answer.as === "map" ? "Runs once for each element." : "";
    return { at, title, port, note: answer.replaces ? `${how} Takes the place of a wire.`.trim() : how };
  };
  const side = isOutput ? "outputs" : "inputs";
  const rail = definitionOf(sheet) === undefined ? undefined : railsOf(graph, library)[side];
  const ofRail = rail && [...rail, { name: NEW_PORT, label: `New ${isOutput ? "output" : "input"}`, type: "any" }];
  return [
    ...resolve(graph, library)
      .root.nodes.filter(({ node }) => node.id !== own.node)
      .toSorted((a, b) => far(a.node.id) - far(b.node.id))
      .flatMap(({ node, definition }) =>
        ((isOutput ? definition?.inputs : definition?.outputs) ?? []).map((port) =>
          targetAt({ node: node.id, port: port.name }, titleIn(graph, node.id), port),
        ),
      ),
    ...(ofRail ?? []).map((port) => targetAt({ node: RAIL[side], port: port.name }, "Subgraph", port)),
  ];
}
