// JSON as values of CEL. The library copies an object each time a condition names it, which for `output.files.all(f, f in output.names)`
// is once for each file; these look into it instead.
import { type CelList, type CelMap, type CelValue, celList, celMap } from "@bufbuild/cel";

class JsonList {
  constructor(private readonly items: readonly unknown[]) {}

  get size(): number {
    return this.items.length;
  }

  get(index: number): CelValue | undefined {
    const item = this.items[index];
    return item === undefined ? undefined : celOf(item);
  }

  *values(): IterableIterator<CelValue> {
    for (const item of this.items) yield celOf(item);
  }

  [Symbol.iterator](): IterableIterator<CelValue> {
    return this.values();
  }
}

class JsonMap {
  private names: readonly string[] | undefined;

  constructor(private readonly entriesByName: Readonly<Record<string, unknown>>) {}

  get size(): number {
    return this.list().length;
  }

  get(key: unknown): CelValue | undefined {
    if (typeof key !== "string" || !Object.hasOwn(this.entriesByName, key)) return undefined;
    const value = this.entriesByName[key];
    return value === undefined ? undefined : celOf(value);
  }

  /** As the library has it, a name whose value is null is not there. */
  has(key: unknown): boolean {
    return (this.get(key) ?? undefined) !== undefined;
  }

  keys(): IterableIterator<string> {
    return this.list().values();
  }

  *values(): IterableIterator<CelValue> {
    for (const [, value] of this) yield value;
  }

  *entries(): IterableIterator<[string, CelValue]> {
    for (const name of this.list()) yield [name, celOf(this.entriesByName[name])];
  }

  forEach(act: (value: CelValue, key: string, map: this) => void): void {
    for (const [name, value] of this) act(value, name, this);
  }

  [Symbol.iterator](): IterableIterator<[string, CelValue]> {
    return this.entries();
  }

  private list(): readonly string[] {
    this.names ??= Object.keys(this.entriesByName).filter((name) => this.entriesByName[name] !== undefined);
    return this.names;
  }
}

// The library takes for a list or a map what carries a mark of its own, which these inherit.
Object.setPrototypeOf(JsonList.prototype, celList([]));
Object.setPrototypeOf(JsonMap.prototype, celMap(new Map()));

/** @param value JSON, none of which is copied */
export function celOf(value: unknown): CelValue {
  if (Array.isArray(value)) return new JsonList(value) as unknown as CelList;
  if (typeof value === "object" && value !== null && !(value instanceof Uint8Array))
    return new JsonMap(value as Record<string, unknown>) as unknown as CelMap;
  return value as CelValue;
}
