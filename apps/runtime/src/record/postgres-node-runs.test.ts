// Whose items a batch holds, and in which order: batches are kept open by hand, so that no clock is asked.
import { expect, test } from "vitest";
import { Batches } from "./postgres-node-runs.ts";

interface Item {
  run: string;
  name: string;
  size: number;
}

/** Batches, each of which is over when `next` is called. */
function held({ size = 10, items = 500, refuses }: { size?: number; items?: number; refuses?: string } = {}) {
  const batches: string[][] = [];
  const open: (() => void)[] = [];
  const commits = new Batches<Item, string | undefined>(
    async (batch) => {
      batches.push(batch.map(({ name }) => name));
      await new Promise<void>((resolve) => open.push(resolve));
      if (batch.some(({ name }) => name === refuses)) throw new Error(`${refuses} is refused`);
      return batch.map(({ name }) => name);
    },
    { keyOf: ({ name }) => name, queueOf: ({ run }) => run, sizeOf: (item) => item.size, size, items },
  );
  const next = async () => {
    open.shift()?.();
    await new Promise((resolve) => setImmediate(resolve));
  };
  const all = async () => {
    while (open.length > 0) await next();
  };
  const commit = (run: string, name: string, size = 1) => commits.commit({ run, name, size });
  return { commits, batches, commit, next, all };
}

test("[RV3] the runs take turns: one that has much to write holds up no other", async () => {
  const { batches, commit, all } = held({ size: 4 });
  const answers = [commit("first", "f0"), ...Array.from({ length: 20 }, (_, index) => commit("large", `l${index}`))];
  answers.push(commit("small", "s0"), commit("other", "o0"));
  await all();
  expect(batches[1]).toEqual(["l0", "s0", "o0", "l1"]);
  expect(await Promise.all(answers)).toHaveLength(23);
});

test("[RV3] a change that is larger than a statement goes alone, in turns with those of all runs that are not", async () => {
  const { batches, commit, all } = held({ size: 4 });
  const answers = [commit("first", "f0"), ...["a", "b"].flatMap((run) => [commit(run, `${run}0`, 9), commit(run, `${run}1`, 9)])];
  answers.push(commit("small", "s0"));
  await all();
  expect(batches).toEqual([["f0"], ["a0"], ["s0"], ["b0"], ["a1"], ["b1"]]);
  expect(await Promise.all(answers)).toHaveLength(6);
});

test("[RV3] between two such changes goes whatever small has come meanwhile, and neither kind waits for the end of the other", async () => {
  const { batches, commit, next, all } = held({ size: 4 });
  const answers = [commit("first", "f0"), commit("a", "a0", 9), commit("a", "a1", 9)];
  await next();
  answers.push(commit("small", "s0"));
  await next();
  answers.push(commit("small", "s1"), commit("other", "o0"));
  await next();
  await all();
  expect(batches).toEqual([["f0"], ["a0"], ["s0"], ["a1"], ["s1", "o0"]]);
  await Promise.all(answers);
});

test("[RV4] what waits of a run is dropped on demand, and nothing that is under way or of another run", async () => {
  const { commits, batches, commit, next, all } = held();
  const answers = [commit("a", "a0"), commit("a", "a1"), commit("a", "kept"), commit("b", "b0")];
  commits.drop("a", ({ name }) => name !== "kept", undefined);
  expect(await answers[1]).toBeUndefined();
  await next();
  await all();
  expect(await Promise.all(answers)).toEqual(["a0", undefined, "kept", "b0"]);
  expect(batches).toEqual([["a0"], ["kept", "b0"]]);
});

test("the items of one key go into different batches, in order", async () => {
  const { batches, commit, all } = held();
  const answers = ["x", "y", "y", "z"].map((name) => commit("a", name));
  await all();
  expect(batches).toEqual([["x"], ["y"], ["y", "z"]]);
  await Promise.all(answers);
});

test("only the item at fault fails with its batch", async () => {
  const { commit, all } = held({ refuses: "bad" });
  const answers = Promise.allSettled(["x", "good", "bad", "other"].map((name) => commit("a", name)));
  await all();
  expect((await answers).map(({ status }) => status)).toEqual(["fulfilled", "fulfilled", "rejected", "fulfilled"]);
});
