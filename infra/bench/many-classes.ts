// A library as many node packs make it: classes by the thousand, of which no two are called alike or described alike.

import { random as seeded } from "../../packages/graph-model/src/random.testing.ts";

interface Info {
  display_name: string;
  description: string;
  category: string;
  python_module: string;
  search_aliases?: string[];
}

const WORDS_OF_A_SENTENCE = 12;
/** About so many classes bring a sentence that says what they are for; the others bring none. */
const DESCRIBED = 0.4;
const CLASSES_OF_A_PACK = 30;

/** @param info the /object_info of a server, whose classes lend their inputs and outputs, and the words of the names */
export function manyClasses(info: Readonly<Record<string, object>>, count: number): Record<string, object> {
  const random = seeded(1);
  const pick = <T>(list: readonly T[]): T => list[Math.floor(random() * list.length)] as T;
  const models = Object.values(info) as Info[];
  const vocabulary = [
    ...new Set(models.flatMap(({ display_name: name, description }) => `${name} ${description}`.match(/[A-Za-z][A-Za-z0-9]+/g) ?? [])),
  ];
  const words = (number: number) => Array.from({ length: number }, () => pick(vocabulary)).join(" ");
  const found: Record<string, object> = {};
  let pack = "";
  for (let made = 0; made < count; ) {
    if (made % CLASSES_OF_A_PACK === 0) pack = words(2).replaceAll(" ", "-");
    const name = words(3);
    if (name.replaceAll(" ", "") in found) continue;
    made++;
    found[name.replaceAll(" ", "")] = {
      ...pick(models),
      name: name.replaceAll(" ", ""),
      display_name: name,
      description: random() < DESCRIBED ? `${words(WORDS_OF_A_SENTENCE)}.` : "",
      category: `${pack}/${pick(models).category}`,
      python_module: `custom_nodes.ComfyUI-${pack}`,
    };
  }
  return found;
}
