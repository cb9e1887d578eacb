import { cp, mkdir, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, expect, test } from "vitest";
import { once } from "./stamp.ts";

const folders: string[] = [];
afterEach(async () => {
  for (const folder of folders.splice(0)) await rm(folder, { recursive: true, force: true });
});

async function checkout(): Promise<string> {
  const root = await mkdtemp(join(tmpdir(), "spindle-stamp-"));
  folders.push(root);
  await mkdir(join(root, "source/deep"), { recursive: true });
  await writeFile(join(root, "source/a.txt"), "a");
  await writeFile(join(root, "source/deep/b.txt"), "b");
  return root;
}

/** Whether the stamp of `root` asked for a build. */
async function builds(root: string): Promise<boolean> {
  let built = false;
  await once(
    join(root, "made/.stamp"),
    [join(root, "source")],
    async () => {
      built = true;
    },
    root,
  );
  return built;
}

test("[L1] a second start builds nothing", async () => {
  const root = await checkout();
  expect(await builds(root)).toBe(true);
  expect(await builds(root)).toBe(false);
});

test("a checkout that was copied to another folder builds nothing", async () => {
  const root = await checkout();
  await builds(root);
  const copy = `${root}-copy`;
  folders.push(copy);
  await cp(root, copy, { recursive: true });
  expect(await readFile(join(copy, "made/.stamp"), "utf8")).not.toBe("");
  expect(await builds(copy)).toBe(false);
});

test("a file that changed, moved or was swapped with another is built again", async () => {
  const root = await checkout();
  await builds(root);
  await writeFile(join(root, "source/a.txt"), "changed");
  expect(await builds(root)).toBe(true);
  await cp(join(root, "source/a.txt"), join(root, "source/c.txt"));
  expect(await builds(root)).toBe(true);
  await rm(join(root, "source/c.txt"));
  await writeFile(join(root, "source/a.txt"), "b");
  await writeFile(join(root, "source/deep/b.txt"), "changed");
  expect(await builds(root)).toBe(true);
});
