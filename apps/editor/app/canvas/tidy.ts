import { type Graph, isLoopEdge } from "@spindle/graph-model";
import type { Places } from "./arrange";
import { around, type Box } from "./box";

/** New places for the cards, as their wires run. The upper left corner of all of them stays where it is. @throws Error if the layout fails */
export async function tidied(graph: Graph, boxes: ReadonlyMap<string, Box>): Promise<Places> {
  const wires = graph.edges.flatMap((edge) =>
    boxes.has(edge.from) && boxes.has(edge.to) && !isLoopEdge(edge) ? [[edge.from, edge.to] as const] : [],
  );
  const cards = [...boxes].map(([id, { width, height }]) => ({ id, width, height }));
  const corner = around([...boxes.values()]);
  const worker = new Worker(new URL("./tidy.worker.ts", import.meta.url), { type: "module" });
  try {
    const places = await new Promise<Places>((resolve, reject) => {
      worker.onmessage = ({ data }: MessageEvent<Places>) => resolve(data);
      worker.onerror = ({ message }) => reject(new Error(`The graph cannot be laid out. ${message}`));
      worker.postMessage({ cards, wires });
    });
    return Object.fromEntries(Object.entries(places).map(([id, { x, y }]) => [id, { x: corner.x + x, y: corner.y + y }]));
  } finally {
    worker.terminate();
  }
}
