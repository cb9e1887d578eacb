import { expect, test } from "vitest";
import { Announcement } from "./announcement.ts";

/** A handing over that ends when it is told to. */
function bridge() {
  const [announced, lines]: [(string | undefined)[], string[]] = [[], []];
  let [end, fail]: [(held: string) => void, (error: Error) => void] = [() => {}, () => {}];
  let begun = 0;
  const announcement = new Announcement<string>({
    handOver: () => {
      begun++;
      return new Promise((resolve, reject) => {
        [end, fail] = [resolve, reject];
      });
    },
    announce: async (held) => void announced.push(held),
    log: (line) => lines.push(line),
  });
  return { announcement, announced, lines, begun: () => begun, end: (held: string) => end(held), fail: (why: Error) => fail(why) };
}
const over = Promise.resolve();
const never = new Promise(() => {});

test("what holds is announced while a change is handed over, however long that takes, and the change once it is", async () => {
  const { announcement, announced, begun, end } = bridge();
  const first = announcement.renew(never);
  end("a");
  await first;
  for (let round = 0; round < 20; round++) await announcement.renew(over);
  expect([begun(), announced]).toEqual([2, Array.from({ length: 21 }, () => "a")]);
  const next = announcement.renew(never);
  end("b");
  await next;
  expect([begun(), announced.at(-1)]).toEqual([2, "b"]);
});

test("before anything holds that is announced, too", async () => {
  const { announcement, announced } = bridge();
  await announcement.renew(over);
  expect(announced).toEqual([undefined]);
});

test("a change that cannot be handed over is tried again, and what held before holds meanwhile", async () => {
  const { announcement, announced, lines, begun, end, fail } = bridge();
  const first = announcement.renew(never);
  end("a");
  await first;
  const second = announcement.renew(never);
  fail(new Error("the runtime is away"));
  await second;
  expect([announced, lines]).toEqual([["a", "a"], [expect.stringContaining("the runtime is away")]]);
  await announcement.renew(over);
  expect(begun()).toBe(3);
});
