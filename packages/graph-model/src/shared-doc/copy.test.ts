// What a document is read from and copied by, in steps, against Yjs itself.
import { describe, expect, test } from "vitest";
import * as Y from "yjs";
import type { Steps, Struct } from "./apply.ts";
import { undivided } from "./at-once.testing.ts";
import { copy, copyOf } from "./copy.ts";
import * as reading from "./decode.ts";
import { normalise } from "./index.ts";
import { damage, editAtRandom, random, updateOf } from "./random-updates.testing.ts";

const { decode } = undivided;
const SEEDS = Number(process.env.SEEDS ?? 8);
const ANY = Number.POSITIVE_INFINITY;

/** One of several people's edits, with texts that were taken apart and nodes that were removed. */
function written(seed: number, edits = 40): Y.Doc {
  const next = random(seed);
  const doc = new Y.Doc();
  for (let at = 0; at < edits; at++)
    Y.applyUpdate(
      doc,
      updateOf(doc, (mine) => editAtRandom(mine, next), 100 + at),
    );
  return doc;
}

function stepsOf<T>(steps: Steps<T>): number {
  for (let count = 1; ; count++) if (steps.next().done) return count;
}

const idsOf = (doc: Y.Doc) =>
  [...doc.store.clients].map(([client, list]) => [client, list.map((struct) => [struct.id.clock, struct.length])]);

describe("A copy of a document", () => {
  test(`is the same in each struct, and stays so while both take the same edits (${SEEDS} seeds)`, () => {
    for (let seed = 1; seed <= SEEDS; seed++) {
      const doc = written(seed);
      const bytes = Y.encodeStateAsUpdate(doc);
      const made = copyOf(doc);
      expect(Y.encodeStateAsUpdate(made), `seed ${seed}`).toEqual(bytes);
      expect(idsOf(made)).toEqual(idsOf(doc));
      expect(normalise(made)).toEqual(normalise(doc));
      const next = random(seed + 1000);
      for (let at = 0; at < 20; at++) {
        const update = updateOf(doc, (mine) => editAtRandom(mine, next));
        const before = Y.encodeStateAsUpdate(doc);
        Y.applyUpdate(made, update);
        expect(Y.encodeStateAsUpdate(doc), `seed ${seed}: what the copy takes changes nothing in the document`).toEqual(before);
        Y.applyUpdate(doc, update);
        expect(Y.encodeStateAsUpdate(made), `seed ${seed}`).toEqual(Y.encodeStateAsUpdate(doc));
        expect(JSON.stringify(normalise(made))).toBe(JSON.stringify(normalise(doc)));
      }
    }
  });

  test("is made in steps of some structs, with a root that is read as a map meanwhile", () => {
    const server = new Y.Doc();
    Y.applyUpdate(server, Y.encodeStateAsUpdate(written(7, 120)));
    const structs = idsOf(server).reduce((sum, [, list]) => sum + (list as unknown[]).length, 0);
    const steps = copy(server, 10);
    let count = 1;
    for (let step = steps.next(); ; step = steps.next(), count++) {
      for (const name of server.share.keys()) server.getMap(name);
      if (!step.done) continue;
      expect(Y.encodeStateAsUpdate(step.value)).toEqual(Y.encodeStateAsUpdate(server));
      break;
    }
    expect(count).toBeGreaterThan(structs / 10);
  });
});

describe("An update", () => {
  const readAs = (read: () => { structs: Struct[]; ds: { clients: unknown } }) => {
    try {
      const { structs, ds } = read();
      return { structs, deleted: ds.clients };
    } catch {
      return "no update";
    }
  };

  test(`is read as Yjs reads it, or is none for both, however it is damaged (${SEEDS} seeds)`, () => {
    let [good, bad] = [0, 0];
    for (let seed = 1; seed <= SEEDS; seed++) {
      const next = random(seed);
      const update = Y.encodeStateAsUpdate(written(seed));
      expect(
        readAs(() => decode(update, ANY)),
        `seed ${seed}`,
      ).toEqual(readAs(() => Y.decodeUpdate(update)));
      for (let times = 0; times < 20; times++) {
        const damaged = damage(update, update, next);
        const ours = readAs(() => decode(damaged, ANY));
        if (ours === "no update") bad++;
        else {
          good++;
          expect(ours, `seed ${seed}`).toEqual(readAs(() => Y.decodeUpdate(damaged)));
        }
      }
    }
    expect(Math.min(good, bad)).toBeGreaterThan(SEEDS);
  });

  test("is read, and its parts are counted, in steps of some parts", () => {
    const update = Y.encodeStateAsUpdate(written(5, 120));
    const parts = reading.countParts(update, ANY);
    const largest = 40; // parts of one struct
    expect(stepsOf(reading.decode(update, ANY, 10))).toBeGreaterThan(parts / (10 + largest));
    expect(stepsOf(reading.countInSteps(update, ANY, 10))).toBeGreaterThan(parts / (10 + largest));
    expect(stepsOf(reading.decode(update, ANY, parts + 1))).toBe(1);
  });
});
