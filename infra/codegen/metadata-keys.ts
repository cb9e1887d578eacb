// The keys that the schemas of a graph's metadata know, by place: what a key that nothing reads was probably meant to be.
import { type JsonObject, readJson, SCHEMAS } from "./sources.ts";

type Keys = Record<string, string[]>;
type Resolve = (ref: string) => { schema: JsonObject; resolve: Resolve } | undefined;

const PARTS = SCHEMAS.filter(({ name, file }) => file.startsWith("langgraph/") && name !== "Graph");

export async function metadataKeys(root: string): Promise<Record<string, Keys>> {
  const documents = new Map<string, JsonObject>();
  for (const { file } of PARTS) {
    const document = await readJson(root, file);
    documents.set(document.$id as string, document);
  }
  const resolveIn =
    (from: string): Resolve =>
    (ref) => {
      const [id, name] = ref.split("#/$defs/");
      const document = documents.get(id || from); // one of the graph's own schema is not looked into
      const schema = (document?.$defs as Record<string, JsonObject> | undefined)?.[name ?? ""];
      return schema && { schema, resolve: resolveIn(id || from) };
    };
  const ids = [...documents.keys()];
  return Object.fromEntries(
    PARTS.map(({ name }, index) => [name, keysIn(documents.get(ids[index] as string), "", resolveIn(ids[index] as string))]),
  );
}

function keysIn(schema: unknown, place: string, resolve: Resolve): Keys {
  if (schema === null || typeof schema !== "object") return {};
  const { $ref, properties, additionalProperties, items, oneOf } = schema as Record<string, unknown>;
  const target = typeof $ref === "string" ? resolve($ref) : undefined;
  const parts: Keys[] = [
    ...(target ? [keysIn(target.schema, place, target.resolve)] : []),
    ...(additionalProperties === false ? [{ [place]: Object.keys((properties ?? {}) as object) }] : []),
    ...Object.entries((properties ?? {}) as object).map(([key, inner]) => keysIn(inner, `${place}/${key}`, resolve)),
    ...[additionalProperties, items].map((inner) => keysIn(inner, `${place}/*`, resolve)),
    ...(Array.isArray(oneOf) ? oneOf.map((inner) => keysIn(inner, place, resolve)) : []),
  ];
  return Object.assign({}, ...parts);
}
