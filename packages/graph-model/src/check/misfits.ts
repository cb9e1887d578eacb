// What in a part of the metadata does not fit its schema (schemas/langgraph), for the checks to say in their own words.
import {
  METADATA_KEYS,
  type SchemaError,
  type Validator,
  validateDefinition,
  validateEdgeMetadata,
  validateEditorMetadata,
  validateGraphInterface,
  validateNodeSettings,
} from "@spindle/schemas";
import { type Issue, type IssuePlace, issue } from "../issue.ts";
import { nearest } from "../nearest.ts";

type Part = keyof typeof METADATA_KEYS;

const VALIDATORS: Readonly<Record<Part, Validator<unknown>>> = {
  NodeSettings: validateNodeSettings,
  EdgeMetadata: validateEdgeMetadata,
  EditorMetadata: validateEditorMetadata,
  GraphInterface: validateGraphInterface,
  Definition: validateDefinition,
};

const CALLED: Readonly<Record<Part, string>> = {
  NodeSettings: "the settings of a node",
  EdgeMetadata: "the metadata of an edge",
  EditorMetadata: "what the editor stores",
  GraphInterface: "the interface",
  Definition: "a definition",
};

export interface Misfit {
  /** From the part inwards; a key that is missing is the last step. */
  path: readonly string[];
  /** The message of AJV, such as "must be string". */
  why: string;
}

export interface Misfits {
  wrong: readonly Misfit[];
  /** Keys that the schema does not know; nothing reads them. */
  unknown: readonly { path: readonly string[]; near: string | undefined }[];
}

const NONE: Misfits = { wrong: [], unknown: [] };
export const fits = ({ wrong, unknown }: Misfits): boolean => wrong.length + unknown.length === 0;

/** What of `value` does not fit `part`'s schema; a key with a namespace (`x-`, or a `.`, `:` or `/` in it) is another program's. */
export function misfits(part: Part, value: unknown): Misfits {
  const validator = VALIDATORS[part];
  if (validator(value)) return NONE;
  // What may be null too fails twice and once more for both; the first says enough.
  const errors = (validator.errors ?? []).filter(({ schemaPath }) => !schemaPath.includes("/oneOf"));
  return {
    wrong: errors.filter(({ keyword }) => keyword !== "additionalProperties").map(misfit),
    unknown: errors
      .filter(({ keyword, params }) => keyword === "additionalProperties" && !/^x-|[.:/]/.test(String(params.additionalProperty)))
      .map(({ instancePath, params }) => {
        const [path, key] = [steps(instancePath), String(params.additionalProperty)];
        return { path: [...path, key], near: nearest(key, keysAt(part, path)) };
      }),
  };
}

function misfit({ instancePath, message = "is not valid", keyword, params }: SchemaError): Misfit {
  const missing = keyword === "required" ? [String(params.missingProperty)] : [];
  return { path: [...steps(instancePath), ...missing], why: missing.length > 0 ? "is missing" : message };
}

const steps = (pointer: string): string[] =>
  pointer
    .split("/")
    .slice(1)
    .map((step) => step.replaceAll("~1", "/").replaceAll("~0", "~"));

export const pointerOf = (path: readonly string[]): string =>
  path.map((step) => `/${step.replaceAll("~", "~0").replaceAll("/", "~1")}`).join("");

function keysAt(part: Part, path: readonly string[]): readonly string[] {
  const places: Readonly<Record<string, readonly string[]>> = METADATA_KEYS[part];
  const isHere = (place: string): boolean => {
    const known = steps(place);
    return known.length === path.length && known.every((step, index) => step === "*" || step === path[index]);
  };
  return Object.entries(places).find(([place]) => isHere(place))?.[1] ?? [];
}

/** How many issues of one kind are reported; a document with more of them is one of another program. */
const SHOWN = 20;

/** The first few issues, and one that says how many more there are. */
export function some<T>(all: readonly T[], toIssue: (part: T) => Issue, what: string, place: IssuePlace): Issue[] {
  const rest = all.length - SHOWN;
  const more = `There are ${rest.toLocaleString("en")} more ${what}.`;
  return [...all.slice(0, SHOWN).map(toIssue), ...(rest > 0 ? [issue("warning", "metadata.unknown", more, place)] : [])];
}

/** @param place of the part; its pointer leads to the part */
export function unknownKeys(part: Part, { unknown }: Misfits, place: IssuePlace & { pointer: string }): Issue[] {
  return some(
    unknown,
    ({ path, near }) => {
      const key = (path.at(-1) as string).slice(0, 80);
      return issue(
        "warning",
        "metadata.unknown",
        `Nothing reads "${key}" in ${CALLED[part]}; it stays in the document.`,
        { ...place, ...(place.node === undefined ? {} : { port: key }), pointer: `${place.pointer}${pointerOf(path)}` },
        near === undefined ? `Remove it, or call it "x-${key}" if another program reads it.` : `Call it "${near}".`,
      );
    },
    `keys that nothing reads in ${CALLED[part]}`,
    place,
  );
}

/** What is wrong where it decides nothing about a run. */
export function misfitWarning({ path, why }: Misfit, place: IssuePlace & { pointer: string }): Issue {
  const pointer = `${place.pointer}${pointerOf(path)}`;
  return issue("warning", "graph.schema", `${pointer} ${why}.`, { ...place, pointer }, "Correct it, or remove it.");
}
