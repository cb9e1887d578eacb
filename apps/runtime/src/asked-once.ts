/** Asks once for all who ask at a time, and keeps the answer for so long after it has come. */
export function askedOnce<Answer>(ask: () => Promise<Answer>, keptMs: number): () => Promise<Answer> {
  let asked: Promise<Answer> | undefined;
  return () => {
    if (asked) return asked;
    asked = ask();
    const forget = () => {
      asked = undefined;
    };
    asked.then(() => void setTimeout(forget, keptMs).unref(), forget);
    return asked;
  };
}
