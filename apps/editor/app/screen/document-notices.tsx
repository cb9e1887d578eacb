// What a person must know about the stored document: an edit that was refused, the graph removed, edits set aside when it was loaded.
import { exportJson, type Graph } from "@spindle/graph-model";
import type { Difference } from "@spindle/graph-model/shared-doc";
import { useState } from "react";
import { type Closing, GONE, OTHER_EPOCH, OTHER_LAYOUT, REMOVED, whyRefused } from "../session/closing";
import { saveFile } from "../session/files";
import type { RefusedEdits } from "../session/refused-edits";
import type { TakenBack } from "../session/use-document";
import { when } from "../ui/words";

interface Props {
  id: string;
  graph: Graph | undefined;
  closing: Closing | undefined;
  takenBack: TakenBack | undefined;
  refused: RefusedEdits | undefined;
  setAside: { edits: number; at: string } | undefined;
  /** Puts the graph back into the list, and opens it again. */
  onRestore(): void;
}

export function DocumentNotices({ id, graph, closing, takenBack, refused, setAside, onRestore }: Props) {
  const key = `spindle.set-aside.${id}`;
  const [read, setRead] = useState(() => localStorage.getItem(key));
  if (closing)
    return (
      <div className="notice bad" role="alert">
        <p>{closingWords(closing, graph !== undefined)}</p>
        {graph && (
          <button type="button" className="button" onClick={() => download(graph)}>
            Download a copy
          </button>
        )}
        {closing.code === REMOVED || closing.code === GONE ? (
          <>
            {closing.code === REMOVED && (
              <button type="button" className="button" onClick={onRestore}>
                Restore it
              </button>
            )}
            <a className="button" href="/">
              All graphs
            </a>
          </>
        ) : (
          <button type="button" className="button" onClick={() => location.reload()}>
            Reload
          </button>
        )}
      </div>
    );
  if (takenBack)
    return (
      <div className="notice bad" role="alert">
        <p>
          {takenBackWords(takenBack.closing)}
          {takenBack.difference && ` ${differenceWords(takenBack.difference)}`}
        </p>
        {takenBack.difference && !isNothing(takenBack.difference) && (
          <button type="button" className="button" onClick={takenBack.apply}>
            Apply to the graph
          </button>
        )}
        <button type="button" className="button" onClick={() => download(takenBack.graph)}>
          {takenBack.closing.code === OTHER_EPOCH ? "Download your copy" : "Download a copy with it"}
        </button>
        <button type="button" className="button" onClick={takenBack.dismiss}>
          Dismiss
        </button>
      </div>
    );
  if (refused)
    return (
      <div className="notice bad" role="alert">
        <p>{refusedWords(refused)}</p>
        <button type="button" className="button" onClick={() => void refused.apply()}>
          Apply
        </button>
        <button type="button" className="button" onClick={() => download(refused.graph())}>
          {refused.edits === 1 ? "Download a copy with it" : "Download a copy with them"}
        </button>
        <button type="button" className="button" onClick={refused.discard}>
          Discard
        </button>
      </div>
    );
  if (!setAside || read === setAside.at) return null;
  const dismiss = () => {
    localStorage.setItem(key, setAside.at);
    setRead(setAside.at);
  };
  return (
    <div className="notice" role="status">
      <p>
        {setAside.edits === 1 ? "1 edit" : `${setAside.edits} edits`} of this graph could not be applied and{" "}
        {setAside.edits === 1 ? "was" : "were"} set aside on {when(setAside.at)}. Everything else is here: look for what is missing, and add
        it again.
      </p>
      <button type="button" className="button" onClick={dismiss}>
        Dismiss
      </button>
    </div>
  );
}

/** @param isKept whether this browser keeps what is edited meanwhile; undefined while it is not known */
export function OfflineBanner({ isKept }: { isKept: boolean | undefined }) {
  const words = isKept
    ? "Offline. Your edits are kept and merge when you are back"
    : isKept === false
      ? "Offline. This browser cannot keep your edits: they merge when you are back, if this page stays open until then"
      : "Offline. Your edits merge when you are back";
  return (
    <div className="banner" role="status">
      {words}
    </div>
  );
}

const takenBackWords = (closing: Closing): string =>
  closing.code === OTHER_EPOCH
    ? `${closing.reason} You see that state now. What you had is kept in this browser until you dismiss this.`
    : `An edit was refused. ${whyRefused(closing)} It was taken back, with what was not saved by then.`;

const isNothing = ({ added, changed }: Difference): boolean => added + changed === 0;

const parts = (count: number): string => (count === 1 ? "1 part" : `${count} parts`);

function differenceWords({ added, changed, others }: Difference): string {
  if (isNothing({ added, changed, others })) return "The graph has all of it.";
  const has = [
    ...(added > 0 ? [`has ${parts(added)} that the graph lacks`] : []),
    ...(changed > 0 ? [`differs in ${parts(changed)}`] : []),
  ];
  const stays =
    others === 0 ? "" : others === 1 ? " 1 node that only the graph has stays." : ` ${others} nodes that only the graph has stay.`;
  return `Your copy ${has.join(", and ")}. Apply that to the graph as one step, which you can undo.${stays}`;
}

const refusedWords = ({ edits, reason, at }: RefusedEdits): string =>
  edits === 1
    ? `An edit of yours was refused on ${when(at)}: ${reason} It is kept for you. Apply it to the graph as it is now, or discard it.`
    : `${edits} edits of yours were refused, the last on ${when(at)}: ${reason} They are kept for you. Apply them to the graph as it is now, or discard them.`;

/** @param isShown the page has something of the graph */
function closingWords(closing: Closing, isShown: boolean): string {
  const { code, reason } = closing;
  if (code === REMOVED) return "This graph was deleted. You see your own copy, and nothing more of it is saved.";
  if (code === GONE)
    return "This graph was deleted, and cannot be restored. You see your own copy: download it, and open the file as a new graph.";
  if (code === OTHER_LAYOUT && !isShown) return reason;
  if (code === OTHER_LAYOUT)
    return `${reason} What you see is kept until you close this page, and nothing more of it is saved: reload to go on.`;
  return `An edit was refused. ${whyRefused(closing)} It is not saved, nor is anything after it: reload to go on from the saved graph.`;
}

function download(graph: Graph): void {
  saveFile(new Blob([exportJson(graph)], { type: "application/json" }), "graph-copy.json");
}

interface NoGraphProps {
  error: { message: string; data?: unknown };
  /** What this browser has kept of it. */
  copy: Graph | undefined;
  onForget(): void;
  onRestore(): void;
}

/** In the place of a graph that does not open. */
export function NoGraph({ error, copy, onForget, onRestore }: NoGraphProps) {
  const { refused } = (error.data ?? {}) as { refused?: { code?: string } };
  const isInTrash = refused?.code === "graph.deleted";
  const [isForgotten, setForgotten] = useState(false);
  const forget = () => {
    onForget();
    setForgotten(true);
  };
  return (
    <main className="empty-page">
      <h1>{error.message}</h1>
      {isInTrash && (
        <button type="button" className="button primary large" onClick={onRestore}>
          Restore it
        </button>
      )}
      {copy && !isForgotten && (
        <button type="button" className="button large" onClick={() => download(copy)}>
          Download your copy
        </button>
      )}
      {copy && !isForgotten && !isInTrash && (
        <button type="button" className="button large" onClick={forget}>
          Remove your copy from this browser
        </button>
      )}
      {isForgotten && <p role="status">This browser keeps nothing of it any more.</p>}
      <a className="button large" href="/">
        Back to your graphs
      </a>
    </main>
  );
}
