// The palette: at a place of the canvas, the entries of the library, what fits first. The one that is chosen lands there, wired.
import { type Graph, type Library, type NodeDefinition, type Port, portKind, resolve } from "@spindle/graph-model";
import { sheetGraph } from "@spindle/graph-model/shared-doc";
import { searchOf } from "@spindle/node-library";
import { useStoreApi } from "@xyflow/react";
import { Command } from "cmdk";
import { Search, WifiOff, X } from "lucide-react";
import { Popover } from "radix-ui";
import { useEffect, useMemo, useRef, useState } from "react";
import { rememberNode, useRecentNodes } from "../session/recent-nodes";
import { asOwnStep, type SharedDocument } from "../session/use-document";
import { KeyHints } from "../ui/key-hints";
import { PlaneMark } from "../ui/plane-mark";
import { announce } from "../ui/said";
import { toast } from "../ui/toast";
import { DrawnLink } from "./drawn-link";
import { insertNode, replaceNode, titleIn } from "./edits";
import { freeNear } from "./free-place";
import { converter, type Join, type Joint, joinable, presentJoint, replaceable } from "./joint";
import { land } from "./landing";
import { keyOf, type Offer, type OfferGroup, offerGroups } from "./offers";
import { type Aim, closePalette, usePalette } from "./use-palette";

interface Props {
  shared: SharedDocument;
  graph: Graph;
  library: Library;
  /** The node is in the graph by then. */
  onPlaced(node: string): void;
}

/** The palette while it is open, and what it says when a node has landed. */
export function Palette({ shared, graph, library, onPlaced }: Props) {
  const aim = usePalette((state) => state.aim);
  const store = useStoreApi();
  useEffect(() => closePalette, []);
  useEffect(() => void useRecentNodes.persist.rehydrate(), []);
  const choose = (definition: NodeDefinition, { corner, joint: aimed, replaces }: Aim) => {
    closePalette();
    // Other people may have edited the graph since the palette opened.
    const graph = sheetGraph(shared.sheet);
    if (replaces !== undefined && !graph.nodes.some((node) => node.id === replaces)) {
      announce("");
      return toast("info", "Nothing was replaced: the node was deleted by another person.");
    }
    rememberNode(keyOf(definition));
    const { joint, gone } = presentJoint(graph, aimed);
    if (gone) toast("info", `${definition.label} was added without a wire: the ${gone} that it was meant for is gone.`);
    if (replaces !== undefined) {
      const title = titleIn(graph, replaces);
      announce(
        replaced(
          title,
          definition,
          asOwnStep(shared, () => replaceNode(shared.sheet, { graph, library }, replaces, definition)),
        ),
      );
      land(replaces);
      return onPlaced(replaces);
    }
    const place = freeNear(shared.sheet, store.getState(), corner);
    const { id, join } = asOwnStep(shared, () => insertNode(shared.sheet, { graph, library }, definition, place, joint));
    announce(inserted(graph, definition, join));
    land(id);
    onPlaced(id);
  };
  // The link that was dropped, as long as it is not known what it leads to.
  const end = aim && !aim.joint.wire ? (aim.joint.from ?? aim.joint.to) : undefined;
  if (!aim) return null;
  return (
    <>
      {end && <DrawnLink from={end} isOutput={aim.joint.from !== undefined} to={aim.at} />}
      <Chooser key={`${aim.at.x} ${aim.at.y}`} aim={aim} graph={graph} library={library} onChoose={choose} />
    </>
  );
}

function inserted(graph: Graph, { label }: NodeDefinition, join: Join | undefined): string {
  const ends = [join?.in?.from.node, join?.out?.to.node].flatMap((id) => (id === undefined ? [] : [titleIn(graph, id)]));
  return ends.length === 0 ? `${label} was added.` : `${label} was added and connected to ${ends.join(" and ")}.`;
}

function replaced(title: string, { label }: NodeDefinition, lost: number): string {
  const wires = lost === 0 ? "" : lost === 1 ? " 1 wire did not fit and is gone." : ` ${lost} wires did not fit and are gone.`;
  return `${title} was replaced by ${label}.${wires}`;
}

interface ChooserProps {
  aim: Aim;
  graph: Graph;
  library: Library;
  onChoose(definition: NodeDefinition, aim: Aim): void;
}

const TITLES: Readonly<Record<OfferGroup["title"], string>> = {
  Fits: "Fits",
  "Recently used": "Recently used",
  Nodes: "Nodes",
  "Does not fit": "Does not fit, and why",
};
const NARROW = 720;
const NO_JOINT: Joint = {};

function Chooser({ aim, graph, library, onChoose }: ChooserProps) {
  const [text, setText] = useState("");
  const [isLinked, setLinked] = useState(true);
  const recent = useRecentNodes((state) => state.recent);
  const search = useMemo(() => searchOf(library), [library]);
  const { at, replaces } = aim;
  const joint = isLinked ? aim.joint : NO_JOINT;
  const hasEnds = Boolean(joint.from ?? joint.to);
  const isSearch = text.trim() !== "";
  const isBetween = aim.unfit !== undefined && isLinked;
  const groups = useMemo(() => {
    const { from, to } = joint;
    if (isBetween && from && to) {
      const groups = offerGroups({ found: search(text), isSearch, join: converter(graph, library, { from, to }), recent });
      return groups.filter(({ title }) => title === "Fits");
    }
    const join = replaces !== undefined ? replaceable(graph, library, replaces) : hasEnds ? joinable(graph, library, joint) : undefined;
    return offerGroups({ found: search(text), isSearch, join, recent });
  }, [graph, library, joint, hasEnds, isBetween, replaces, search, text, isSearch, recent]);
  const anchor = useRef({ getBoundingClientRect: () => DOMRect.fromRect(at) });
  const cameFrom = useRef(document.activeElement);
  const hasPressed = useRef(false);
  const linkName = useMemo(() => nameOfLink(graph, library, aim), [graph, library, aim]);
  const drop = () => setLinked(false);
  const isNarrow = window.innerWidth < NARROW;
  return (
    <Popover.Root open onOpenChange={(open) => !open && closePalette()}>
      <Popover.Anchor virtualRef={anchor} />
      <Popover.Portal>
        <Popover.Content
          className="palette"
          aria-label={replaces === undefined ? "Add a node" : "Replace the node"}
          side={isNarrow ? "bottom" : "right"}
          align="start"
          sideOffset={isNarrow ? 12 : 8}
          alignOffset={isNarrow ? 0 : -20}
          collisionPadding={8}
          onCloseAutoFocus={(event) => {
            event.preventDefault();
            if (cameFrom.current instanceof HTMLElement && document.activeElement === document.body)
              cameFrom.current.focus({ preventScroll: true });
          }}
        >
          <Command
            shouldFilter={false}
            loop
            label="Nodes"
            vimBindings={false}
            onKeyDown={(event) => {
              // These are of commands, which a dialog keeps out; neither the list nor the browser takes them for its own.
              if ((event.ctrlKey || event.metaKey) && ["Enter", "k"].includes(event.key)) event.preventDefault();
            }}
          >
            <div className="palette-search">
              <Search size={16} className="glyph" />
              <Command.Input
                value={text}
                onValueChange={setText}
                placeholder={
                  replaces !== undefined ? "Search what takes its place" : hasEnds ? "Search, or pick what fits" : "Search nodes to add"
                }
                onKeyDown={(event) => {
                  if (!event.repeat) hasPressed.current = true;
                  // The key that opened the palette is still held.
                  else if (!hasPressed.current) event.preventDefault();
                  if (event.key === "Backspace" && text === "" && !event.repeat) drop();
                }}
              />
              {linkName && isLinked && (
                <button
                  type="button"
                  className="tag"
                  onClick={drop}
                  aria-label={`${linkName}: add without a wire`}
                  title="Add without a wire"
                >
                  <span className="ellipsis">{linkName}</span> <X size={12} />
                </button>
              )}
            </div>
            <Command.List className="palette-list">
              <Command.Empty className="text-faint text-small command-empty">{`Nothing is called "${text}".`}</Command.Empty>
              {isBetween && <p className="text-small text-warn palette-note">{aim.unfit} One of these makes one of the other:</p>}
              {(hasEnds || replaces !== undefined) && groups[0]?.title === "Does not fit" && (
                <p className="text-small text-warn palette-note">
                  Nothing {isSearch ? "of that name " : ""}fits. {unfitHint(aim)}
                </p>
              )}
              {groups.map(({ title, offers, count }) => (
                <Command.Group
                  key={title}
                  heading={
                    <>
                      <span>{TITLES[title]}</span>
                      <span className="digits">{title === "Fits" && !isSearch ? `${count} of ${library.all().length}` : count}</span>
                    </>
                  }
                >
                  {offers.map((offer) => (
                    <OfferRow
                      key={keyOf(offer.definition)}
                      offer={offer}
                      onSelect={() => {
                        cameFrom.current = null; // the card takes the focus
                        onChoose(offer.definition, { ...aim, joint });
                      }}
                    />
                  ))}
                  {count > offers.length && (
                    <p className="text-faint text-small palette-note">{count - offers.length} more. Type more of the name.</p>
                  )}
                </Command.Group>
              ))}
            </Command.List>
            <KeyHints
              keys={[
                ["Enter", replaces !== undefined ? "Replace" : hasEnds ? "Add and connect" : "Add"],
                ...(hasEnds ? [["Backspace", "Drop the wire"] as const] : []),
                ["Esc", "Close"],
              ]}
            />
          </Command>
        </Popover.Content>
      </Popover.Portal>
    </Popover.Root>
  );
}

const unfitHint = ({ replaces }: Aim): string =>
  replaces === undefined ? "Any other node is added without a wire." : "Any other node takes its place without the wires.";

/** What the new node is wired to, in few words. */
function nameOfLink(graph: Graph, library: Library, { joint }: Aim): string | undefined {
  const end = joint.from ?? joint.to;
  if (!end) return undefined;
  const title = titleIn(graph, end.node);
  if (joint.wire) return `Into the wire from ${title}`;
  const definition = resolve(graph, library).root.node(end.node)?.definition;
  const port = (joint.from ? definition?.outputs : definition?.inputs)?.find(({ name }) => name === end.port);
  return `${joint.from ? "From" : "To"} ${title}${port ? `: ${port.label}` : ""}`;
}

function OfferRow({ offer: { definition, join, why }, onSelect }: { offer: Offer; onSelect(): void }) {
  const draft = definition.live && definition.engines.find((engine) => engine.live)?.draft === true;
  const port: Port | undefined =
    definition.inputs.find(({ name }) => name === join?.in?.input) ?? definition.outputs.find(({ name }) => name === join?.out?.output);
  return (
    <Command.Item value={keyOf(definition)} onSelect={onSelect} className="palette-offer" data-unfit={why !== undefined}>
      <PlaneMark plane={definition.plane} small off={!definition.live} />
      <span className="palette-words">
        <b className="ellipsis" title={definition.label}>
          {definition.label}
        </b>
        <span className="ellipsis text-small text-faint" title={why ?? definition.description}>
          {why ?? definition.description}
        </span>
      </span>
      {port && (
        <span className="palette-port text-tiny" data-type={port.type} data-kind={portKind(port.type)}>
          <i className="palette-dot" /> {port.label}
        </span>
      )}
      {draft && <span className="tag">Draft</span>}
      {definition.mark && <span className="tag">{definition.mark === "deprecated" ? "Old" : "Beta"}</span>}
      {!definition.live && (
        <span className="tag off">
          <WifiOff size={10} /> Offline
        </span>
      )}
    </Command.Item>
  );
}
