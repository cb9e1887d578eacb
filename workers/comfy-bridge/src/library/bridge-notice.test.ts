import { expect, test } from "vitest";
import { BridgeNotice } from "./bridge-notice.ts";

/** A handing over that ends when it is told to. */
function bridge() {
  const [announced, lines]: [(string | undefined)[], string[]] = [[], []];
  let [end, fail]: [(held: string) => void, (error: Error) => void] = [() => {}, () => {}];
  let begun = 0;
  const bridgeNotice = new BridgeNotice<string>({
    handOver: () => {
      begun++;
      return new Promise((resolve, reject) => {
        [end, fail] = [resolve, reject];
      });
    },
    announce: async (held) => void announced.push(held),
    log: (line) => lines.push(line),
  });
  return { bridgeNotice, announced, lines, begun: () => begun, end: (held: string) => end(held), fail: (why: Error) => fail(why) };
}
const over = Promise.resolve();
const never = new Promise(() => {});

test("what holds is announced while a change is handed over, however long that takes, and the change once it is", async () => {
  const { bridgeNotice, announced, begun, end } = bridge();
  const first = bridgeNotice.renew(never);
  end("a");
  await first;
  for (let round = 0; round < 20; round++) await bridgeNotice.renew(over);
  expect([begun(), announced]).toEqual([2, Array.from({ length: 21 }, () => "a")]);
  const next = bridgeNotice.renew(never);
  end("b");
  await next;
  expect([begun(), announced.at(-1)]).toEqual([2, "b"]);
});

test("before anything holds that is announced, too", async () => {
  const { bridgeNotice, announced } = bridge();
  await bridgeNotice.renew(over);
  expect(announced).toEqual([undefined]);
});

test("a change that cannot be handed over is tried again, and what held before holds meanwhile", async () => {
  const { bridgeNotice, announced, lines, begun, end, fail } = bridge();
  const first = bridgeNotice.renew(never);
  end("a");
  await first;
  const second = bridgeNotice.renew(never);
  fail(new Error("the runtime is away"));
  await second;
  expect([announced, lines]).toEqual([["a", "a"], [expect.stringContaining("the runtime is away")]]);
  await bridgeNotice.renew(over);
  expect(begun()).toBe(3);
});
