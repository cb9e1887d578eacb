/** A function that has `act` called in the next turn of the event loop, once, however often it is called before. */
export function inNextTurn(act: () => void): () => void {
  let isAsked = false;
  return () => {
    if (isAsked) return;
    isAsked = true;
    setImmediate(() => {
      isAsked = false;
      act();
    });
  };
}
