// Which tasks are held back because their device is paused (docs/decisions/0055). PostgreSQL has the pauses; this is what a runtime read last.
import type { Library } from "@spindle/graph-model";
import { takeBack } from "@spindle/task-bus";
import type { Redis } from "ioredis";
import type { TaskRow } from "../record/node-run.ts";
import type { QueueOrders } from "../record/record.ts";
import type { PausedDevice } from "../record/types.ts";
import { ALL_DEVICES, deviceOf, type Routed } from "./devices.ts";
import { routeOf, taskName } from "./task-name.ts";

export class Pauses {
  /** By device; undefined until they have been read, when everything is held back. */
  private found: ReadonlyMap<string, PausedDevice> | undefined;

  constructor(
    private readonly orders: QueueOrders,
    private readonly library: () => Library,
  ) {}

  async refresh(): Promise<void> {
    this.found = new Map((await this.orders.paused()).map((each) => [each.device, each]));
  }

  get isAny(): boolean {
    return this.found === undefined || this.found.size > 0;
  }

  isHeld(task: Routed): boolean {
    return this.found === undefined || this.over(task) !== undefined;
  }

  /** The pause that holds a task back. */
  over(task: Routed): PausedDevice | undefined {
    if (!this.found?.size) return undefined;
    return this.ofDevice(deviceOf(task, this.library())) ?? this.ofUnknown(task);
  }

  /** The pause of a device, or of all. */
  ofDevice(device: string): PausedDevice | undefined {
    return this.found?.get(ALL_DEVICES) ?? this.found?.get(device);
  }

  /** What nobody offers now may be for any device of its plane. */
  private ofUnknown({ plane, service }: Routed): PausedDevice | undefined {
    if (plane === "comfy" || this.library().find(plane, service)) return undefined;
    return [...(this.found?.values() ?? [])].find(({ device }) => device.startsWith(`${plane}/`));
  }

  /** Takes back from the bus what waits there for a paused device. @param sent tasks that are on the bus */
  async takeBack(redis: Redis, sent: readonly TaskRow[]): Promise<void> {
    for (const row of sent) {
      if (row.state !== "dispatched" || !this.isHeld(row)) continue;
      // Should this process die in between, the reaper finds the task lost, and sends it again once the device is resumed.
      if (await takeBack(redis, taskName(row.id, row.fence), routeOf(row))) await this.orders.unsent(row);
    }
  }
}
