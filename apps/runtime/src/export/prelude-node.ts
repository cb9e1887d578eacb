// What the file of a node finds where a program carries it.
import { carriedServices, type ServiceFunction, type Values } from "./prelude.ts";

interface NodeContext {
  // biome-ignore lint/suspicious/noExplicitAny: the file's own schemas say what it is, and the values were checked by them
  input: any;
  engine: string;
  signal: AbortSignal;
  progress(news: object): void;
  log(line: string): void;
}
interface NodeFile {
  run?(context: NodeContext): Promise<Values>;
  [more: string]: unknown;
}

/** A failure that another try cannot mend. */
class UserError extends Error {
  override readonly name = "UserError";
}

const defineNode = (node: NodeFile): NodeFile => node;

const serviceOf =
  ({ run }: NodeFile): ServiceFunction =>
  (input, _, { signal = new AbortController().signal }) =>
    run?.({ input, engine: "default", signal, progress: () => {}, log: () => {} }) ?? {};

// ---

/** For the sources of this file alone. */
export const used = { UserError, carriedServices, defineNode, serviceOf };
