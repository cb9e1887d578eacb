// Conditions in CEL (https://cel.dev), for exported graphs that have some.
import { celEnv, isCelError, parse, plan } from "@bufbuild/cel";

const environment = celEnv();

/** @throws if the values do not allow an answer */
function cel(text: string, context: Record<string, unknown>) {
  const condition = plan(environment, parse(text));
  return (about: { output: Record<string, unknown>; error: Record<string, unknown>; inputs: Record<string, unknown> }): boolean => {
    const value: unknown = condition({ ...about, context } as never);
    if (isCelError(value)) throw value;
    if (typeof value !== "boolean") throw new Error(`${text} is neither true nor false.`);
    return value;
  };
}

// ---

/** For the sources of this file alone. */
export const used = { cel };
