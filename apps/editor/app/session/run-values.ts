/** Where this browser keeps what the next run of a graph is given. */
export const runValuesKey = (graph: string): string => `spindle.inputs.${graph}`;

/** For the page of a graph that opens next. */
export function keepRunValues(graph: string, values: Readonly<Record<string, unknown>>): void {
  localStorage.setItem(runValuesKey(graph), JSON.stringify(values));
}
