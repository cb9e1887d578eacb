// What an import brought around its nodes: frames that group them, and notes without an id. They are looked at, not edited.
import { type Graph, type Position, record } from "@spindle/graph-model";
import type { Frame, Note } from "@spindle/schemas";
import type { CardNode } from "./node-card";

const list = <T extends { position: Position; size: object }>(value: unknown): T[] =>
  Array.isArray(value) ? value.filter((one): one is T => typeof one?.position?.x === "number" && typeof one?.size?.width === "number") : [];

/** Frames and notes, drawn below the cards. They share React Flow's list with the cards and nothing else. */
export function toBackdrop(graph: Graph): CardNode[] {
  const { frames, notes } = record(graph.metadata?.editor);
  const fixed = { draggable: false, selectable: false, deletable: false, connectable: false, focusable: false };
  const made = [
    ...list<Frame>(frames).map((frame, index) => ({
      id: `frame ${index}`,
      type: "frame",
      zIndex: -2,
      data: frame,
      position: frame.position,
      ...frame.size,
      ...fixed,
    })),
    ...list<Note>(notes).flatMap((note, index) =>
      note.id !== undefined
        ? []
        : [
            {
              id: `brought note ${index}`,
              type: "broughtNote",
              zIndex: -1,
              data: note,
              position: note.position,
              ...note.size,
              ...fixed,
            },
          ],
    ),
  ];
  return made as never;
}

const COLOUR = /^#[0-9a-fA-F]{3,8}$/;

export function FrameCard({ data }: { data: Frame }) {
  const colour = data.colour && COLOUR.test(data.colour) ? ({ "--frame": data.colour } as React.CSSProperties) : {};
  return (
    <section className="canvas-frame" style={{ ...data.size, ...colour }} aria-label={data.title}>
      <h3>{data.title}</h3>
    </section>
  );
}

export function BroughtNote({ data }: { data: Note }) {
  return (
    <section className="canvas-note nowheel" style={data.size} aria-label={data.title || "Note"}>
      {data.title && <h3>{data.title}</h3>}
      <p>{data.text}</p>
    </section>
  );
}
