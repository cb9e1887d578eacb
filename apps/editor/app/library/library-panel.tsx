// The node library: search, filter by plane, drag or press Enter to add.
import type { Library, NodeDefinition, Plane } from "@spindle/graph-model";
import { searchOf } from "@spindle/node-library";
import { ChevronDown, ChevronRight, PanelLeftOpen, Search, WifiOff, X } from "lucide-react";
import { useEffect, useMemo, useRef, useState } from "react";
import { DRAG_TYPE, keyOf } from "../canvas/offers";
import { PLANE_NAMES, PlaneMark } from "../ui/plane-mark";

/** How many matches are listed, best first; nobody reads more. */
const MOST_FOUND = 100;
const PLANES: Plane[] = ["node", "python", "comfy"];

interface LibraryPanelProps {
  library: Library;
  loaded: boolean;
  /** Which ComfyUI does not answer, and why. */
  trouble: string | undefined;
  onAdd(definition: NodeDefinition): void;
}

export function LibraryPanel({ library, loaded, trouble, onAdd }: LibraryPanelProps) {
  const [text, setText] = useState("");
  const [only, setOnly] = useState<Plane>();
  const [toggled, setToggled] = useState<ReadonlySet<string>>(new Set());
  const [open, setOpen] = useState(false);
  const search = useMemo(() => searchOf(library), [library]);
  const found = search(text).filter((definition) => only === undefined || definition.plane === only);
  const shown = text.trim() ? found.slice(0, MOST_FOUND) : found;
  const groups = grouped(shown);
  // Whoever types a name and presses Enter before the library has come gets the node once it has.
  const isEntered = useRef(false);
  useEffect(() => {
    if (!isEntered.current || !loaded) return;
    isEntered.current = false;
    if (found[0]) onAdd(found[0]);
  });
  const enter = () => {
    if (found[0]) onAdd(found[0]);
    else isEntered.current = !loaded;
  };
  // ComfyUI brings hundreds of nodes: their categories are closed until one is opened or something is looked for.
  const isShut = (category: string, list: readonly NodeDefinition[]) =>
    toggled.has(category) !== (!text.trim() && list.length > 0 && list.every((definition) => definition.plane === "comfy"));

  const toggle = (category: string) =>
    setToggled((now) => (now.has(category) ? new Set([...now].filter((one) => one !== category)) : new Set([...now, category])));
  const live = library.all().filter((definition) => definition.live).length;
  return (
    <aside className={`library${open ? " open" : ""}`} aria-label="Node library">
      <div className="rail">
        <button type="button" className="button icon quiet" aria-label="Open the library" onClick={() => setOpen(true)}>
          <PanelLeftOpen size={16} />
        </button>
      </div>
      <div className="library-search">
        <div className="field">
          <Search size={14} className="glyph" />
          <input
            value={text}
            placeholder={`Search ${library.all().length} nodes`}
            aria-label="Search nodes"
            onChange={(event) => {
              setText(event.target.value);
              isEntered.current = false;
            }}
            onKeyDown={(event) => event.key === "Enter" && enter()}
            className="search-text"
          />
          {open && (
            <button type="button" aria-label="Close the library" onClick={() => setOpen(false)}>
              <X size={14} />
            </button>
          )}
        </div>
        <div className="filters">
          {PLANES.map((plane) => (
            <button
              type="button"
              key={plane}
              className={`button${only === plane ? " on" : ""}`}
              aria-pressed={only === plane}
              title={PLANE_NAMES[plane]}
              onClick={() => setOnly(only === plane ? undefined : plane)}
            >
              <PlaneMark plane={plane} small /> {PLANE_NAMES[plane].split(" ")[0]}
            </button>
          ))}
        </div>
      </div>
      <div className="scroll">
        {!loaded && [1, 2, 3, 4, 5].map((row) => <div key={row} className="skeleton of-library-item" />)}
        {[...groups].map(([category, list]) => (
          <section key={category} aria-label={category}>
            <button
              type="button"
              className="category"
              title={category}
              aria-expanded={!isShut(category, list)}
              onClick={() => toggle(category)}
            >
              {isShut(category, list) ? <ChevronRight size={12} /> : <ChevronDown size={12} />} <span className="ellipsis">{category}</span>
              <span className="digits">{list.length}</span>
            </button>
            {!isShut(category, list) &&
              list.map((definition) => (
                <Row
                  key={keyOf(definition)}
                  definition={definition}
                  onAdd={() => onAdd(definition)}
                  onTap={() => {
                    onAdd(definition);
                    setOpen(false);
                  }}
                />
              ))}
          </section>
        ))}
        {found.length > shown.length && (
          <p className="text-faint text-small library-hint">{found.length - shown.length} more. Type more of the name.</p>
        )}
        {loaded && found.length === 0 && (
          <p className="text-faint text-small library-hint">
            {only === "comfy"
              ? (trouble ?? "No ComfyUI is connected. Set COMFY_URL to one, for example http://127.0.0.1:8188, and start again.")
              : `Nothing is called "${text}".`}
          </p>
        )}
      </div>
      {trouble && found.length > 0 && (
        <p className="text-small text-warn library-note" role="status">
          {trouble}
        </p>
      )}
      <div className="library-status">
        <span className={`live-dot${live > 0 ? " on" : ""}`} /> {live} of {library.all().length} live
      </div>
    </aside>
  );
}

function Row({ definition, onAdd, onTap }: { definition: NodeDefinition; onAdd(): void; onTap(): void }) {
  const draft = definition.live && definition.engines.find((engine) => engine.live)?.draft === true;
  return (
    <button
      type="button"
      className={`library-item${definition.live ? "" : " off"}`}
      draggable
      title={`${definition.description}\n${definition.service}`}
      onDragStart={(event) => event.dataTransfer.setData(DRAG_TYPE, keyOf(definition))}
      onDoubleClick={onAdd}
      onClick={(event) => (event.nativeEvent as PointerEvent).pointerType === "touch" && onTap()}
      onKeyDown={(event) => event.key === "Enter" && onAdd()}
    >
      <PlaneMark plane={definition.plane} small off={!definition.live} />
      <span className="ellipsis">{definition.label}</span>
      {draft && <span className="tag">Draft</span>}
      {definition.mark && <span className="tag">{definition.mark === "deprecated" ? "Old" : "Beta"}</span>}
      {!definition.live && (
        <span className="tag off">
          <WifiOff size={10} /> Offline
        </span>
      )}
    </button>
  );
}

function grouped(list: readonly NodeDefinition[]): Map<string, NodeDefinition[]> {
  const groups = new Map<string, NodeDefinition[]>();
  for (const definition of list) {
    const known = groups.get(definition.category);
    if (known) known.push(definition);
    else groups.set(definition.category, [definition]);
  }
  return groups;
}
