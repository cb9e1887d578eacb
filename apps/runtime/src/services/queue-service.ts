// What people decide about the queue (DESIGN E14, E20): which devices begin nothing new, and whose tasks go first.
import type { Library } from "@spindle/graph-model";
import type { Priority } from "@spindle/schemas";
import type { QueueOrders } from "../record/record.ts";
import { Refused } from "../refused.ts";
import type { Database } from "../store/database.ts";
import { isOutage } from "../store/patient.ts";
import { ALL_DEVICES, devicesOf } from "../tasks/devices.ts";
import type { WorkerPlane } from "../tasks/worker-plane.ts";
import { assertRun } from "./find-run.ts";

export class QueueService {
  constructor(
    private readonly db: Database,
    private readonly orders: QueueOrders,
    private readonly workers: Pick<WorkerPlane, "followPauses">,
    private readonly library: () => Library,
  ) {}

  /** Lets a device begin nothing new; what it does goes on. @throws Refused 404 */
  async pause(device: string, by: string): Promise<void> {
    const devices = devicesOf(this.library());
    if (device !== ALL_DEVICES && !devices.has(device))
      throw new Refused(
        404,
        "device.not_found",
        `There is no device ${device.slice(0, 200)}. There are ${[...devices.keys()].slice(0, 20).join(", ")}, and ${ALL_DEVICES} for every one.`,
      );
    await this.orders.pause(device, by);
    await this.follow();
  }

  /** Lets a device begin what waits for it, or every device. One that is not paused is left as it is. */
  async resume(device: string): Promise<void> {
    await this.orders.resume(device === ALL_DEVICES ? undefined : device);
    await this.follow();
  }

  /** Returns what the run had before. @throws Refused 404, or 409 if the run is over */
  async prioritise(run: string, priority: Priority): Promise<{ before: Priority }> {
    const before = await this.orders.prioritise(run, priority);
    if (before !== undefined) return { before };
    await assertRun(this.db, run);
    throw new Refused(409, "run.over", "This run is over, so nothing of it waits.");
  }

  /** The fact stands; while Redis is away each runtime follows it by itself, later. */
  private async follow(): Promise<void> {
    await this.workers.followPauses().catch((error) => {
      if (!isOutage(error)) throw error;
    });
  }
}
