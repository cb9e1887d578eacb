// One class of ComfyUI as several servers describe it: its lists of files joined, with the servers that have each. The bridge joins its
// servers by this rule, and the runtime its bridges.

export interface Listed {
  enum?: unknown[];
  anyOf?: { enum?: unknown[] }[];
  /** The servers of those choices that not all of them have. */
  "x-on"?: Record<string, string[]>;
  /** What the input is under each choice of another one. */
  "x-variants"?: Variant[];
}
export type Properties = Record<string, Listed>;

interface Variant {
  when: Record<string, unknown[]>;
  required: boolean;
  schema: Listed;
}

/** What some servers have together. */
export interface Described {
  servers: readonly string[];
  /** A schema of inputs. */
  input: Record<string, unknown>;
}

/** Combinations of choices that are told apart for one variant. Choices of choices multiply. */
const MOST_COMBINATIONS = 1000;

/** Of a list, and of files that are there or are uploaded, which the first of two alternatives lists. */
export const choicesIn = (schema: Listed | undefined): unknown[] | undefined => schema?.enum ?? schema?.anyOf?.[0]?.enum;

const withChoices = <Schema extends Listed>(schema: Schema, choices: unknown[]): Schema =>
  schema.anyOf ? { ...schema, anyOf: [{ ...schema.anyOf[0], enum: choices }, ...schema.anyOf.slice(1)] } : { ...schema, enum: choices };

interface Having {
  servers: readonly string[];
  schema: Listed | undefined;
}

/** The inputs as the first describes them; a list is what any of them has. */
export function joinFileLists(all: readonly Described[]): Record<string, unknown> {
  const [first, ...others] = all;
  if (!first) return {};
  if (others.length === 0) return first.input;
  const of = ({ input }: Described) => (input.properties ?? {}) as Properties;
  const properties = Object.keys(of(first)).map((name) => {
    const having = all.map((one) => ({ servers: one.servers, schema: of(one)[name] }));
    return [name, joinInput(having)] as const;
  });
  return { ...first.input, properties: Object.fromEntries(properties) };
}

function joinInput(all: readonly Having[]): Listed {
  const own = all[0]?.schema as Listed;
  if (!own["x-variants"] || !all.every(({ schema }) => schema?.["x-variants"])) return joinLists(all);
  const variants = joinVariants(all);
  // Outside of any choice it is what its first variant is.
  return { ...own, ...variants[0]?.schema, "x-variants": variants };
}

function joinLists(all: readonly Having[]): Listed {
  const own = all[0]?.schema as Listed;
  const lists = all.map(({ schema }) => choicesIn(schema));
  if (!lists.every((list): list is unknown[] => Array.isArray(list))) return own;
  const choices = [...new Set(lists.flat())];
  const sets = lists.map((list) => new Set(list));
  const everywhere = new Set(all.flatMap(({ servers }) => servers)).size;
  const some = choices.flatMap((choice) => {
    if (typeof choice === "object") return [];
    const name = String(choice);
    const on = all.flatMap(({ servers, schema }, at) => {
      if (!sets[at]?.has(choice)) return [];
      const named = schema?.["x-on"] ?? {};
      return Object.hasOwn(named, name) ? (named[name] as string[]) : servers;
    });
    const having = [...new Set(on)];
    return having.length === everywhere ? [] : [[name, having] as const];
  });
  const { "x-on": _, ...rest } = own;
  return { ...withChoices(rest, choices), ...(some.length > 0 ? { "x-on": Object.fromEntries(some) } : {}) };
}

/** Each under the choices that it is for; servers may have put together what others tell apart. */
function joinVariants(all: readonly Having[]): Variant[] {
  const [first = [], ...others] = all.map(({ schema }) => schema?.["x-variants"] ?? []);
  const joined = first.flatMap((variant) => apart(variant, others).map((part) => joinVariant(part, all, others)));
  // A choice that only others have brings what it brings there.
  const known = choicesOf(first);
  for (const [at, variants] of others.entries()) {
    const { servers } = all[at + 1] as Having;
    for (const variant of variants)
      for (const [chooser, values] of Object.entries(variant.when)) {
        const more = values.filter((value) => !known.get(chooser)?.has(value));
        if (more.length === 0) continue;
        const part = { ...variant, when: { ...variant.when, [chooser]: more } };
        const later = others.map((own, other) => (other > at ? own : []));
        joined.push(joinVariant(part, [{ servers, schema: undefined }, ...all.slice(1)], later));
      }
    for (const [chooser, values] of choicesOf(variants)) known.set(chooser, new Set([...(known.get(chooser) ?? []), ...values]));
  }
  return joined;
}

function choicesOf(variants: readonly Variant[]): Map<string, Set<unknown>> {
  const found = new Map<string, Set<unknown>>();
  for (const { when } of variants)
    for (const [chooser, values] of Object.entries(when)) found.set(chooser, new Set([...(found.get(chooser) ?? []), ...values]));
  return found;
}

/** @param others the variants of all but the first of `all` */
function joinVariant(variant: Variant, [first, ...rest]: readonly Having[], others: readonly Variant[][]): Variant {
  const having = rest.flatMap(({ servers }, at) => {
    const found = others[at]?.find(({ when }) => covers(when, variant.when));
    return found ? [{ servers, schema: found.schema }] : [];
  });
  return { ...variant, schema: joinLists([{ servers: first?.servers ?? [], schema: variant.schema }, ...having]) };
}

/** Whether what holds under some choices holds under these, too. */
const covers = (wide: Variant["when"], narrow: Variant["when"]): boolean =>
  Object.entries(wide).every(([chooser, values]) => narrow[chooser]?.every((value) => values.includes(value)));

/** The variant, in as many parts as others tell apart. */
function apart(variant: Variant, others: readonly Variant[][]): Variant[] {
  const isWhole = others.every((variants) => variants.some(({ when }) => covers(when, variant.when)));
  const count = Object.values(variant.when).reduce((product, { length }) => product * length, 1);
  if (isWhole || count > MOST_COMBINATIONS) return [variant];
  let parts: Variant["when"][] = [{}];
  for (const [chooser, values] of Object.entries(variant.when))
    parts = parts.flatMap((part) => values.map((value) => ({ ...part, [chooser]: [value] })));
  return parts.map((when) => ({ ...variant, when }));
}
