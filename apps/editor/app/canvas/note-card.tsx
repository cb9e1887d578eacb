// A note on the canvas: Markdown, written in place.
import { type Graph, record } from "@spindle/graph-model";
import { setEntry } from "@spindle/graph-model/shared-doc";
import type { Note } from "@spindle/schemas";
import { type Node, type NodeProps, NodeResizer } from "@xyflow/react";
import { useEffect } from "react";
import { create } from "zustand";
import { useCaret, useTyping } from "../session/typing";
import { ME } from "../session/use-document";
import { focusCanvas } from "../ui/focus";
import { Markdown } from "../ui/markdown";
import { useCanvas } from "./canvas-context";
import { COLOURS } from "./groups";

export type NoteNode = Node<{ note: Note & { id: string } }, "note">;

export const NOTE_SIZE = { width: 240, height: 144 };
const LEAST = { minWidth: 120, minHeight: 64 };

const useEdited = create<{ note: string | undefined }>(() => ({ note: undefined }));
/** Opens the text of a note, which may be drawn a moment later. */
export const editNote = (note: string | undefined): void => useEdited.setState({ note });

export const noteNodeId = (note: string): string => `note ${note}`;
export const noteOfNodeId = (id: string): string | undefined => (id.startsWith("note ") ? id.slice("note ".length) : undefined);

/** The notes that people write here. One without an id was brought by an import, and belongs to the backdrop. */
export function toNotes(graph: Graph): NoteNode[] {
  const { notes } = record(graph.metadata?.editor);
  return (Array.isArray(notes) ? (notes as Note[]) : []).flatMap((note) => {
    const { id, position, size } = note ?? {};
    if (typeof id !== "string" || typeof position?.x !== "number" || typeof size?.width !== "number") return [];
    return [
      {
        id: noteNodeId(id),
        type: "note" as const,
        zIndex: -1,
        position,
        ...size,
        data: { note: { ...note, id } },
        connectable: false,
        deletable: false,
      },
    ];
  });
}

export function NoteCard({ data: { note }, selected }: NodeProps<NoteNode>) {
  const { sheet } = useCanvas();
  const isEdited = useEdited((state) => state.note === note.id);
  const set = (fields: Partial<Note>) => void setEntry(sheet, ME, "notes", note.id, fields);
  const text = note.text ?? "";
  return (
    <>
      <NodeResizer
        {...LEAST}
        isVisible={selected}
        lineClassName="note-line"
        handleClassName="note-handle"
        onResizeEnd={(_, { x, y, width, height }) =>
          set({ position: { x: Math.round(x), y: Math.round(y) }, size: { width: Math.round(width), height: Math.round(height) } })
        }
      />
      <section
        className="canvas-note own nowheel"
        aria-label="Note"
        style={{ "--note": note.colour ?? "var(--line-strong)" } as React.CSSProperties}
        onDoubleClick={(event) => {
          event.stopPropagation();
          editNote(note.id);
        }}
      >
        {isEdited ? (
          <NoteText
            text={text}
            onStore={(next, base) => void setEntry(sheet, ME, "notes", note.id, { text: next }, { isText: true, base })}
          />
        ) : text.trim() ? (
          <Markdown text={text} />
        ) : (
          <p className="text-faint">Double click to write</p>
        )}
      </section>
      {selected && !isEdited && (
        <div className="floating note-tools nodrag" role="toolbar" aria-label="Colour of the note">
          {COLOURS.map((colour, index) => (
            <button
              key={colour}
              type="button"
              className="colour-dot"
              style={{ background: colour }}
              aria-label={`Colour ${index + 1}`}
              aria-pressed={note.colour === colour}
              onClick={() => set({ colour: note.colour === colour ? undefined : colour } as Partial<Note>)}
            />
          ))}
        </div>
      )}
    </>
  );
}

function NoteText({ text: stored, onStore }: { text: string; onStore(next: string, base: string): void }) {
  const { text, type, leave } = useTyping(stored, (next, base) => {
    if (next !== base) onStore(next, base);
    return next;
  });
  const field = useCaret<HTMLTextAreaElement>(text);
  useEffect(() => field.current?.focus({ preventScroll: true }), [field]);
  return (
    <textarea
      ref={field}
      className="note-text nodrag"
      aria-label="Text of the note"
      placeholder="Markdown: **bold**, # heading, - list, [link](https://…)"
      value={text}
      onChange={(event) => type(event.target.value)}
      onBlur={() => {
        leave();
        editNote(undefined);
      }}
      onKeyDown={(event) => {
        if (event.key !== "Escape" || event.nativeEvent.isComposing) return;
        event.stopPropagation();
        leave();
        editNote(undefined);
        focusCanvas();
      }}
    />
  );
}
