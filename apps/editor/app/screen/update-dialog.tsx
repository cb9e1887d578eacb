// What another version of a shared subgraph does otherwise, before it takes the place of the copy.
import type { Graph, Library } from "@spindle/graph-model";
import { Minus, Pencil, Plus } from "lucide-react";
import { type Deviation, differences, documentOf, errorsWith, updateTo } from "../canvas/linked";
import { asOwnStep, type SharedDocument } from "../session/use-document";
import { CloseButton, Dialog } from "../ui/dialog";
import type { Copy } from "./use-shared-definitions";

const SIGNS = { added: Plus, removed: Minus, changed: Pencil } as const;
const WORDS: Readonly<Record<Deviation["how"], string>> = { added: "Added", removed: "Removed", changed: "Changed" };
/** Nobody reads more. */
const MOST_SHOWN = 200;

interface Props {
  shared: SharedDocument;
  whole: Graph;
  library: Library;
  copy: Copy;
  onClose(): void;
}

export function UpdateDialog({ shared, whole, library, copy, onClose }: Props) {
  const { name, version, newer } = copy;
  const before = documentOf(whole, name);
  if (!newer || !before) return null;
  const { head, document } = newer;
  const changes = differences(before, document);
  const errors = errorsWith(whole, name, document, library);
  const update = () => {
    const link = { definition: head.definition, version: head.version, ...(copy.isHeld ? { held: true } : {}) };
    asOwnStep(shared, () => updateTo(shared.sheet, name, document, link));
    onClose();
  };
  return (
    <Dialog title={`Update ${name} from version ${version} to ${head.version}`} onClose={onClose}>
      {copy.isEdited && <p className="text-warn">It was edited in this graph. These edits go; undo brings them back.</p>}
      {errors.map((message) => (
        <p className="text-bad" key={message}>
          After the update: {message}
        </p>
      ))}
      {changes.length === 0 && <p className="text-muted">It does the same as before.</p>}
      <ul className="plan changes" aria-label="What differs">
        {changes.slice(0, MOST_SHOWN).map(({ how, what }) => {
          const Sign = SIGNS[how];
          return (
            <li key={`${how} ${what}`} data-how={how}>
              <Sign size={14} aria-hidden />
              <span className="text-muted change-how">{WORDS[how]}</span>
              <span className="grow change-what">{what}</span>
            </li>
          );
        })}
      </ul>
      {changes.length > MOST_SHOWN && <p className="text-faint text-small">{changes.length - MOST_SHOWN} more.</p>}
      <div className="row dialog-actions">
        <CloseButton>Stay at version {version}</CloseButton>
        <button type="button" className="button large primary" onClick={update}>
          Update
        </button>
      </div>
    </Dialog>
  );
}
