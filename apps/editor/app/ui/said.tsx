// What was done and what happened, said to those who hear the page: one message after the other.
import { useEffect } from "react";
import { create } from "zustand";

/** A failure interrupts what is being read. */
type Tone = "polite" | "assertive";
interface Message {
  text: string;
  tone: Tone;
}

/** A message that is replaced at once may not be read. */
const STANDS_MS = 1000;
/** What comes faster than it can be said is left out, the oldest first. */
const MOST_WAITING = 3;

const useSaid = create<{ said: Message | undefined; waiting: readonly Message[]; since: number }>(() => ({
  said: undefined,
  waiting: [],
  since: 0,
}));

export function announce(text: string, tone: Tone = "polite"): void {
  const message = { text, tone };
  useSaid.setState(({ said, waiting, since }) => {
    const isFree = waiting.length === 0 && (said === undefined || said.text === "" || Date.now() - since >= STANDS_MS);
    return isFree ? { said: message, since: Date.now() } : { waiting: [...waiting, message].slice(-MOST_WAITING) };
  });
}

export function Said() {
  const said = useSaid((state) => state.said);
  const isNext = useSaid(({ waiting }) => waiting.length > 0);
  useEffect(() => {
    if (!isNext) return;
    const next = () => useSaid.setState(({ waiting: [first, ...waiting] }) => (first ? { said: first, waiting, since: Date.now() } : {}));
    const timer = setInterval(next, STANDS_MS);
    return () => clearInterval(timer);
  }, [isNext]);
  const text = (tone: Tone) => (said?.tone === tone ? said.text : "");
  return (
    <>
      <output className="visually-hidden" aria-live="polite" data-testid="said">
        {text("polite")}
      </output>
      <div className="visually-hidden" role="alert" data-testid="said-at-once">
        {text("assertive")}
      </div>
    </>
  );
}
