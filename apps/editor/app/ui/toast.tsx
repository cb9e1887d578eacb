// Messages in a corner, for what has no place of its own on the page.
import { CircleAlert, Info } from "lucide-react";
import { create } from "zustand";

interface Toast {
  id: number;
  kind: "bad" | "info";
  text: string;
}

const STAYS_MS = 7000;
const useToasts = create<{ list: Toast[] }>(() => ({ list: [] }));
let count = 0;

export function toast(kind: Toast["kind"], text: string): void {
  const id = ++count;
  useToasts.setState(({ list }) => ({ list: [...list.slice(-3), { id, kind, text }] }));
  setTimeout(() => useToasts.setState(({ list }) => ({ list: list.filter((one) => one.id !== id) })), STAYS_MS);
}

export const toastError = (error: unknown): void => toast("bad", error instanceof Error ? error.message : String(error));

export function Toasts() {
  const list = useToasts((state) => state.list);
  return (
    <div className="toasts" role="status" aria-live="polite">
      {list.map(({ id, kind, text }) => (
        <div className="toast" data-kind={kind} key={id}>
          {kind === "bad" ? <CircleAlert size={16} className="text-bad" /> : <Info size={16} className="text-select" />}
          <span>{text}</span>
        </div>
      ))}
    </div>
  );
}
