// What was done, said to those who hear the page.
import { create } from "zustand";

const useSaid = create<{ text: string }>(() => ({ text: "" }));
export const announce = (text: string): void => useSaid.setState({ text });

export function Said() {
  const text = useSaid((state) => state.text);
  return (
    <output className="visually-hidden" aria-live="polite" data-testid="said">
      {text}
    </output>
  );
}
