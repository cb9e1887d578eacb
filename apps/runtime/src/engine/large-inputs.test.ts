import { expect, test } from "vitest";
import { type Held, LargeInputs } from "./large-inputs.ts";

const turn = () => new Promise((resolve) => setImmediate(resolve));

/** Inputs of whole numbers of bytes, and the order in which they began. */
function inputs(most: { ofRun: number; ofAll: number; inTurn: number }) {
  const large = new LargeInputs(most);
  const begun: string[] = [];
  const held = new Map<string, Held>();
  const hold = (run: string, name: string, bytes: number) =>
    void large
      .hold(run, () => bytes)
      .then((granted) => {
        begun.push(name);
        held.set(name, granted);
      });
  const settle = async () => {
    for (let turns = 0; turns < 20; turns++) await turn();
    return begun.splice(0);
  };
  return { large, hold, settle, release: (name: string) => held.get(name)?.release() };
}

test("[RV1] a run has so many bytes under way, and goes on as they are written", async () => {
  const { hold, settle, release } = inputs({ ofRun: 10, ofAll: 100, inTurn: 100 });
  for (let index = 0; index < 5; index++) hold("a", `a${index}`, 4);
  expect(await settle()).toEqual(["a0", "a1"]);
  release("a1");
  release("a1");
  expect(await settle()).toEqual(["a2"]);
});

test("[RV1] the runs take turns, and all of them together have so many bytes under way", async () => {
  const { hold, settle, release } = inputs({ ofRun: 100, ofAll: 16, inTurn: 1 });
  for (let index = 0; index < 10; index++) hold("a", `a${index}`, 4);
  for (let index = 0; index < 2; index++) hold("b", `b${index}`, 4);
  expect(await settle()).toEqual(["a0", "b0", "a1", "b1"]);
  hold("c", "c0", 4);
  release("a0");
  expect(await settle()).toEqual(["a2"]);
  release("b0");
  expect(await settle()).toEqual(["c0"]);
});

test("[RV1] an input that is larger than the bounds goes alone, and is passed by none for ever", async () => {
  const { hold, settle, release } = inputs({ ofRun: 10, ofAll: 16, inTurn: 100 });
  hold("a", "small", 4);
  hold("b", "huge", 50);
  await settle();
  hold("a", "later", 4);
  expect(await settle()).toEqual([]);
  release("small");
  expect(await settle()).toEqual(["huge"]);
  release("huge");
  expect(await settle()).toEqual(["later"]);
});

test("[RV1] one turn of the event loop begins a bounded number of bytes", async () => {
  const large = new LargeInputs({ ofRun: 1000, ofAll: 1000, inTurn: 8 });
  let begun = 0;
  for (let index = 0; index < 10; index++) void large.hold(`r${index}`, () => 4).then(() => begun++);
  let before = 0;
  for (let turns = 0; turns < 30; turns++) {
    await turn();
    expect(begun - before).toBeLessThanOrEqual(2);
    before = begun;
  }
  expect(begun).toBe(10);
});

test("[RV4] a run that is cancelled waits for nothing, and leaves its room to the others", async () => {
  const { large, hold, settle, release } = inputs({ ofRun: 10, ofAll: 10, inTurn: 100 });
  for (let index = 0; index < 3; index++) hold("a", `a${index}`, 8);
  expect(await settle()).toEqual(["a0"]);
  hold("b", "b0", 8);
  expect(await settle()).toEqual([]);
  large.letGo("a");
  expect(await settle()).toEqual(["a1", "a2", "b0"]);
  release("a0");
  hold("b", "b1", 8);
  expect(await settle()).toEqual([]);
});
