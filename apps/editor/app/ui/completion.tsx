// Names for {{ in a field: a list below it, of which arrows and Enter choose, and what is said of names that nothing gives.
import { TriangleAlert } from "lucide-react";
import { type RefObject, useId, useLayoutEffect, useRef, useState } from "react";
import { beginningAt, completed, namesFor, unknownIn, type Variables } from "./variables";

interface Open {
  from: number;
  caret: number;
  names: readonly string[];
  at: number;
}

export function useCompletion(
  field: RefObject<HTMLTextAreaElement>,
  text: string,
  type: (text: string) => void,
  variables: Variables | undefined,
) {
  const id = useId();
  const [open, setOpen] = useState<Open>();
  const caret = useRef<number>();
  useLayoutEffect(() => {
    if (caret.current === undefined) return;
    field.current?.setSelectionRange(caret.current, caret.current);
    caret.current = undefined;
  });
  const close = () => setOpen(undefined);
  const offer = ({ value, selectionStart }: HTMLTextAreaElement) => {
    const begun = variables && beginningAt(value, selectionStart);
    const names = begun ? namesFor(begun.typed, variables.names) : [];
    setOpen(begun && names.length > 0 ? { from: begun.from, caret: selectionStart, names, at: 0 } : undefined);
  };
  const choose = (name: string) => {
    if (!open) return;
    const next = completed(text, open.caret, open.from, name);
    caret.current = next.caret;
    type(next.text);
    close();
  };
  const press = (event: React.KeyboardEvent) => {
    if (!open || event.nativeEvent.isComposing) return;
    const step = event.key === "ArrowDown" ? 1 : event.key === "ArrowUp" ? -1 : 0;
    if (step !== 0) setOpen({ ...open, at: (open.at + step + open.names.length) % open.names.length });
    else if (event.key === "Enter" || event.key === "Tab") choose(open.names[open.at] ?? "");
    else if (event.key === "Escape") close();
    else return;
    event.preventDefault();
    event.stopPropagation();
  };
  return {
    offer,
    close,
    field: variables
      ? {
          "aria-autocomplete": "list" as const,
          "aria-controls": open ? id : undefined,
          "aria-activedescendant": open ? `${id}${open.at}` : undefined,
          onKeyDown: press,
        }
      : {},
    list: open && (
      <div className="completion" role="listbox" id={id} aria-label="Names">
        {open.names.map((name, index) => (
          // biome-ignore lint/a11y/useKeyWithClickEvents: the field has the keys
          // biome-ignore lint/a11y/useFocusableInteractive: the field keeps the focus, and says which one is meant
          <div
            key={name}
            id={`${id}${index}`}
            role="option"
            aria-selected={index === open.at}
            onPointerDown={(event) => event.preventDefault()}
            onClick={() => choose(name)}
          >
            {name}
          </div>
        ))}
      </div>
    ),
  };
}

/** The names in a text that nothing gives. */
export function Unknown({ text, variables }: { text: string; variables: Variables }) {
  const names = [...new Set(unknownIn(text, variables).map(({ name }) => name))];
  if (names.length === 0) return null;
  const known = variables.names.map((name) => `{{${name}}}`).join(", ");
  return (
    <p className="text-small text-warn unknown-names">
      <TriangleAlert size={14} />
      <span>
        Nothing gives {names.map((name) => `{{${name}}}`).join(", ")}
        {known === "" ? "." : `; there is ${known}.`}
      </span>
    </p>
  );
}
