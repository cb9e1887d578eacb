// Messages in a corner, for what has no place of its own on the page.
import { CircleAlert, Info } from "lucide-react";
import { useEffect, useState } from "react";
import { create } from "zustand";

interface Toast {
  id: number;
  kind: "bad" | "info";
  text: string;
  action: ToastAction | undefined;
}

/** What takes back, or goes on with, what the message says. */
interface ToastAction {
  label: string;
  act(): void;
}

const STAYS_MS = 7000;
const STAYS_WITH_ACTION_MS = 20_000;
const useToasts = create<{ list: Toast[] }>(() => ({ list: [] }));
let count = 0;

const dismiss = (id: number) => useToasts.setState(({ list }) => ({ list: list.filter((one) => one.id !== id) }));

export function toast(kind: Toast["kind"], text: string, action?: ToastAction): void {
  const id = ++count;
  useToasts.setState(({ list }) => ({ list: [...list.slice(-3), { id, kind, text, action }] }));
}

export const toastError = (error: unknown): void => toast("bad", error instanceof Error ? error.message : String(error));

export function Toasts() {
  const list = useToasts((state) => state.list);
  return (
    <div className="toasts" role="status" aria-live="polite">
      {list.map((each) => (
        <Message key={each.id} {...each} />
      ))}
    </div>
  );
}

function Message({ id, kind, text, action }: Toast) {
  // It waits for whoever points at it or has the focus in it.
  const [isHeld, setHeld] = useState(false);
  useEffect(() => {
    if (isHeld) return;
    const over = setTimeout(() => dismiss(id), action ? STAYS_WITH_ACTION_MS : STAYS_MS);
    return () => clearTimeout(over);
  }, [isHeld, id, action]);
  const [hold, release] = [() => setHeld(true), () => setHeld(false)];
  return (
    // biome-ignore lint/a11y/noStaticElementInteractions: nothing happens by a press; the message only stays
    <div className="toast" data-kind={kind} onPointerEnter={hold} onPointerLeave={release} onFocus={hold} onBlur={release}>
      {kind === "bad" ? <CircleAlert size={16} className="text-bad" /> : <Info size={16} className="text-select" />}
      <span>{text}</span>
      {action && (
        <button
          type="button"
          className="button"
          onClick={() => {
            dismiss(id);
            action.act();
          }}
        >
          {action.label}
        </button>
      )}
    </div>
  );
}
