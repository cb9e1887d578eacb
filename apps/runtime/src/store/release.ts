// The release of this program. A database remembers every release that ran on it, so that an older one knows when it must not.

/** All releases, oldest first; the last is this one. Its place, counted from 1, is what the database stores. */
export const RELEASES = ["0.1.0", "0.2.0"] as const;

export const RELEASE: string = RELEASES[RELEASES.length - 1] as string;
export const RELEASE_NUMBER = RELEASES.length;

/** The first release that leaves the one before it working; what is older has to stop before an upgrade. */
const FIRST_TO_OVERLAP = RELEASES.indexOf("0.2.0") + 1;

/** Why this release cannot use a database that release `number`, called `name`, has upgraded; undefined if it can. */
export function whyTooNew({ number, name }: { number: number; name: string }, own = { number: RELEASE_NUMBER, name: RELEASE }) {
  if (number <= own.number + 1) return undefined;
  return `This database was upgraded by Spindle ${name}, which is ${number - own.number} releases newer than this one (${own.name}). Only the next release's database can be shared: start Spindle ${name}, or the release before it.`;
}

/** Whether a process of that release may go on while this release upgrades its database. */
export const overlaps = (number: number, own = RELEASE_NUMBER): boolean =>
  number >= own || (number >= FIRST_TO_OVERLAP && number >= own - 1);
