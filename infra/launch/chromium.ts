import { aptInstall, hasApt } from "./debian.ts";
import { findProgram, isRoot } from "./paths.ts";
import { say } from "./say.ts";

/** Returns the machine's own browser, else the one that apt installs as root; says so and returns undefined if neither is possible. */
export async function findChromium(): Promise<string | undefined> {
  const names = ["chromium", "chromium-browser", "google-chrome", "google-chrome-stable"];
  const found = findProgram(...names);
  if (found) return found;
  if (isRoot && hasApt()) {
    await aptInstall("chromium", "the browser of the end-to-end test").catch((error) =>
      say(`chromium could not be installed: ${(error as Error).message.split("\n")[0]}`),
    );
    return findProgram(...names);
  }
  return undefined;
}
