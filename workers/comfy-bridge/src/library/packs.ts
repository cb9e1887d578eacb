// What ComfyUI-Manager says of node packs (`/customnode/getmappings`): which of them have a class of a name. It names those that a workflow needs
// and no server has.

/** Packs that are named for one class at most: some names are so common that a dozen packs have them. */
const MOST_OF_A_CLASS = 3;
const LONGEST_NAME = 100;
const MOST_CLASSES = 200_000;

/** By class: `owner/name` on GitHub, or the pack's name in ComfyUI's registry; several with "or" between them. */
export function readPacks(mappings: unknown): Map<string, string> {
  const found = new Map<string, string[]>();
  if (mappings === null || typeof mappings !== "object" || Array.isArray(mappings)) return new Map();
  for (const [address, entry] of Object.entries(mappings)) {
    const pack = nameOf(address);
    const [classes] = Array.isArray(entry) ? (entry as unknown[]) : [];
    if (pack.length > LONGEST_NAME || !Array.isArray(classes)) continue;
    for (const name of classes) {
      if (typeof name !== "string" || found.size >= MOST_CLASSES) continue;
      const known = found.get(name);
      if (!known) found.set(name, [pack]);
      else if (known.length < MOST_OF_A_CLASS && !known.includes(pack)) known.push(pack);
    }
  }
  return new Map(Array.from(found, ([name, packs]) => [name, packs.join(" or ")]));
}

const nameOf = (address: string): string => /^https:\/\/github\.com\/([\w.-]+\/[\w.-]+?)(?:\.git)?\/?$/.exec(address)?.[1] ?? address;
