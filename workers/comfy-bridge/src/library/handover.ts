// What the servers offer, handed over when it changes. Each manifest is stored, joined with others and told to every page, so that a server
// that changes without end must cost nobody else anything.
import { type ServerLibrary, writeManifest } from "./merge.ts";

const MEBIBYTE = 1024 * 1024;
/** What a change costs: 12,000 classes of 25 MiB may change every four minutes, those that come with ComfyUI every few seconds. */
const MS_PER_MEBIBYTE = 10_000;
/** Changes that are taken at once after a quiet time: a server goes, comes back, and has something new. */
const AT_ONCE = 4;

/** How often what a server offers may change: the larger it is, the less often. */
export class ChangeAllowance {
  /** When all changes that were made are paid for. */
  private paidAt = Number.NEGATIVE_INFINITY;

  constructor(private readonly now: () => number = Date.now) {}

  /** Whether a change of so many bytes may be made now; then it counts. */
  spend(bytes: number): boolean {
    const [now, cost] = [this.now(), (bytes / MEBIBYTE) * MS_PER_MEBIBYTE];
    const paidAt = Math.max(this.paidAt, now);
    if (paidAt - now > (AT_ONCE - 1) * cost) return false;
    this.paidAt = paidAt + cost;
    return true;
  }
}

interface Followed {
  library: ServerLibrary;
  allowance: ChangeAllowance;
}

export class ManifestHandover {
  private readonly followed = new Map<string, Followed>();
  private sha256 = "";
  /** Of the manifest that was written last. */
  private bytes = 0;
  private isHandedOver = true;

  /** @param put stores a manifest and gives its hash */
  constructor(
    private readonly put: (text: string) => Promise<string>,
    private readonly now: () => number = Date.now,
  ) {}

  /**
   * Hands over what has changed, as far as each server's allowance goes; the rest is for a later call.
   * @returns the manifest that holds, if there is one, and why servers offer nothing new
   * @throws Error if it could not be handed over; the next call tries again
   */
  async follow(libraries: readonly ServerLibrary[]): Promise<{ sha256: string; reason: string }> {
    for (const library of libraries) this.heed(library);
    const now = libraries.map(({ id }) => (this.followed.get(id) as Followed).library);
    if (!this.isHandedOver && now.some(({ nodes }) => nodes.size > 0)) {
      const text = writeManifest(now);
      this.bytes = Buffer.byteLength(text);
      this.sha256 = await this.put(text);
      this.isHandedOver = true;
    }
    return { sha256: this.sha256, reason: now.flatMap(({ reason }) => reason ?? []).join(" ") };
  }

  private heed(library: ServerLibrary): void {
    const known = this.followed.get(library.id);
    if (!known) this.followed.set(library.id, { library, allowance: new ChangeAllowance(this.now) });
    else if (isSame(library, known.library) || !known.allowance.spend(this.bytes)) return;
    else known.library = library;
    this.isHandedOver = false;
  }
}

const isSame = (now: ServerLibrary, before: ServerLibrary): boolean =>
  now.nodes === before.nodes && now.live === before.live && now.reason === before.reason;
