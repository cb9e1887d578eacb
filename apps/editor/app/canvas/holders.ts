// The nodes that hold what is put on the canvas: a file or a text that was dropped or pasted.
import type { Library, NodeDefinition } from "@spindle/graph-model";
import { type ArtifactRef, PORT_TYPES } from "@spindle/schemas";
import { upload } from "../session/files";

/** A value with the node that holds it, and the input that it is set at. */
export interface HeldValue {
  definition: NodeDefinition;
  input: string;
  value: string | ArtifactRef;
}

/** The capability that does nothing but give the value that it is given. */
function holderOf(library: Library, type: string): { definition: NodeDefinition; input: string } | undefined {
  for (const definition of library.all()) {
    const [input, ...more] = definition.inputs;
    const [output, ...others] = definition.outputs;
    const isAlone = more.length === 0 && others.length === 0 && definition.parameters.length === 0;
    if (input && isAlone && definition.instant && input.type === type && output?.type === type) return { definition, input: input.name };
  }
  return undefined;
}

const LONGEST_TEXT = 200_000;

/** @throws Error that says why no node can hold it */
export function heldText(text: string, library: Library): HeldValue {
  const holder = holderOf(library, "string");
  if (!holder) throw new Error("No node of the library holds a text.");
  if (text.length > LONGEST_TEXT)
    throw new Error(
      `The text has ${text.length.toLocaleString("en")} characters, and a node holds ${LONGEST_TEXT.toLocaleString("en")} at most. Put it into a file.`,
    );
  return { ...holder, value: text };
}

/** Stores the file. @throws Error that says why no node can hold it, or why it is not stored */
export async function heldFile(file: File, library: Library): Promise<HeldValue> {
  const types = Object.entries(PORT_TYPES).flatMap(([type, { media = [] }]) =>
    media.some((begin) => file.type.startsWith(begin)) ? [type] : [],
  );
  for (const type of [...types, "file"]) {
    const holder = holderOf(library, type);
    if (holder) return { ...holder, value: await upload(file, file.name || "pasted", type) };
  }
  throw new Error(`No node of the library holds ${file.type || "a file of an unknown kind"}.`);
}
