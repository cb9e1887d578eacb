/** How long something waits at most, in ms, where no frame is drawn: a page in the background draws none. */
const LATEST_MS = 200;

/** Hands on what comes within a frame at once and in its order, before the frame is drawn. */
export function onceAFrame<T>(use: (all: readonly T[]) => void): (item: T) => void {
  let waiting: T[] = [];
  let frame = 0;
  let timer: ReturnType<typeof setTimeout> | undefined;
  const flush = () => {
    cancelAnimationFrame(frame);
    clearTimeout(timer);
    const all = waiting;
    waiting = [];
    use(all);
  };
  return (item) => {
    waiting.push(item);
    if (waiting.length > 1) return;
    frame = requestAnimationFrame(flush);
    timer = setTimeout(flush, LATEST_MS);
  };
}
