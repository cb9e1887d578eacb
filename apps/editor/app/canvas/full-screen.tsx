// A result full screen: of the card that is under the pointer, or of one that is named.
import { type Graph, type Library, type NodeDefinition, nodeTitle, resolve } from "@spindle/graph-model";
import { Dialog } from "radix-ui";
import { type RefObject, useEffect, useRef } from "react";
import { create } from "zustand";
import { isArtifact } from "../session/files";
import { shownRuns } from "../session/run-store";
import { useReturnOfFocus } from "../ui/focus";
import { isField } from "../ui/keys";
import { Viewer } from "../ui/viewer";

interface OnScreen {
  title: string;
  value: unknown;
}

const useFullScreen = create<{ shown: OnScreen | undefined }>(() => ({ shown: undefined }));
const close = () => useFullScreen.setState({ shown: undefined });

/** Shows a value full screen. */
export const showFullScreen = (title: string, value: unknown): void => useFullScreen.setState({ shown: { title, value } });

/** Shows what a node gave, or what is pinned in its place, or what it shows while it runs. */
export function lookAtNode(graph: Graph, library: Library, id: string): void {
  const { node, settings, definition } = resolve(graph, library).root.node(id) ?? {};
  const { nodes, live } = shownRuns();
  const given = settings?.pinned ?? nodes[id]?.output;
  const value = (given && firstToShow(given, definition)) ?? live[id]?.preview ?? live[id]?.text;
  if (node && value !== undefined) showFullScreen(nodeTitle(node), value);
}

/** The output to show: media before text before anything else, each in the order of the ports. */
export function firstToShow(output: Record<string, unknown>, definition: NodeDefinition | undefined): unknown {
  const names = definition?.outputs.map((port) => port.name) ?? Object.keys(output);
  const values = names.map((name) => output[name]).filter((value) => value !== undefined && value !== null);
  return values.find(isArtifact) ?? values.find((value) => typeof value === "string") ?? values[0];
}

export function LookDialog() {
  const shown = useFullScreen((state) => state.shown);
  return shown ? <Shown {...shown} /> : null;
}

function Shown({ title, value }: OnScreen) {
  const returnFocus = useReturnOfFocus();
  return (
    <Dialog.Root open onOpenChange={(open) => !open && close()}>
      <Dialog.Portal>
        <Dialog.Overlay className="dialog-backdrop" />
        <Dialog.Content
          className="full-screen"
          aria-describedby={undefined}
          onCloseAutoFocus={returnFocus}
          onKeyDown={(event) => {
            if (event.key !== " " || event.target instanceof HTMLMediaElement || event.target instanceof HTMLButtonElement) return;
            event.preventDefault();
            close();
          }}
        >
          <Dialog.Title className="visually-hidden">{title}</Dialog.Title>
          <Viewer name={title} value={value} />
          <Dialog.Close asChild>
            <button type="button" className="button large">
              Close
            </button>
          </Dialog.Close>
        </Dialog.Content>
      </Dialog.Portal>
    </Dialog.Root>
  );
}

/** Space that is held longer moves the canvas. */
const TAP_MS = 200;

/**
 * A tap of Space shows what is under the pointer.
 * @param pointer where it is in the window
 * @param open shows the result of a node, if it has one
 */
export function useLookByKey(pointer: RefObject<{ x: number; y: number } | undefined>, open: (node: string) => void): void {
  const now = useRef(open);
  now.current = open;
  useEffect(() => {
    let begun: { at: number; x: number; y: number } | undefined;
    const press = (event: KeyboardEvent) => {
      if (event.key !== " " || event.repeat) return;
      const { target } = event;
      const isBusy =
        !(target instanceof Element) || isField(target) || target.closest("button, a, [role=dialog], [role=menu], [role=switch]");
      const { current } = pointer;
      begun = isBusy || !current ? undefined : { at: event.timeStamp, x: current.x, y: current.y };
    };
    const release = (event: KeyboardEvent) => {
      if (event.key !== " " || !begun) return;
      const { at, x, y } = begun;
      begun = undefined;
      const { current } = pointer;
      if (!current || current.x !== x || current.y !== y || event.timeStamp - at > TAP_MS) return;
      const card = document.elementFromPoint(x, y)?.closest(".react-flow__node-card");
      if (card?.querySelector("[data-look]")) now.current(card.getAttribute("data-id") ?? "");
    };
    const drag = () => {
      begun = undefined;
    };
    document.addEventListener("keydown", press);
    document.addEventListener("keyup", release);
    document.addEventListener("pointerdown", drag, true);
    return () => {
      document.removeEventListener("keydown", press);
      document.removeEventListener("keyup", release);
      document.removeEventListener("pointerdown", drag, true);
    };
  }, [pointer]);
}
