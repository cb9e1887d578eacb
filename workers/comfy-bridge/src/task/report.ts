// Progress and previews of a prompt, each on its own node (DESIGN W8): latest wins, at most four times a second.
import { BUS } from "@spindle/schemas";
import type { ImageMime } from "../comfy/frames.ts";
import type { Message } from "../comfy/messages.ts";
import { graphNode } from "./errors.ts";
import type { TaskRuntime } from "./runtime.ts";

/** With a frame comes its `progress`, a moment later. */
const FIRST_MS = 5;

export interface News {
  node?: string;
  progress?: number;
  step?: number;
  steps?: number;
  text?: string;
  note?: string;
  preview?: Awaited<ReturnType<TaskRuntime["store"]>>["ref"];
}

export interface ReportOptions {
  prompt: Readonly<Record<string, unknown>>;
  /** The region is this one node: its news are the task's own. */
  only?: string | undefined;
  /** A node whose steps start again for each of so many windows. */
  windows?: { node: string; count: number } | undefined;
  store: (image: Buffer, mime: ImageMime) => Promise<News["preview"]>;
  send: (news: News) => Promise<void>;
}

export class Report {
  private readonly news = new Map<string, News>();
  private readonly images = new Map<string, { image: Buffer; mime: ImageMime }>();
  private readonly done = new Set<string>();
  private readonly total: number;
  private current: string | undefined;
  private timer: NodeJS.Timeout | undefined;
  private sentAt = 0;
  /** The whole's progress is known better than by how many nodes are done. */
  private stepped = false;
  private sending = Promise.resolve();
  /** Previews that could not be shown, by why. */
  private readonly dropped = new Map<string, number>();

  constructor(private readonly options: ReportOptions) {
    this.total = Math.max(1, Object.keys(options.prompt).length);
  }

  hear(message: Message): void {
    switch (message.type) {
      case "cached":
        for (const id of message.nodes) this.finish(id);
        break;
      case "executing":
        if (this.current !== undefined) this.finish(this.current);
        this.current = message.node;
        if (message.node !== undefined) this.tell(message.node, {});
        break;
      case "progress":
        this.steps(message.node, message.value, message.max);
        break;
      case "states":
        for (const { node, state, value, max } of message.nodes) {
          if (state === "finished") this.finish(node);
          else if (max > 1) this.steps(node, value, max);
        }
        break;
      default:
        return;
    }
    this.schedule();
  }

  text(node: string, text: string): void {
    this.tell(node, { text: text.slice(0, 20_000) });
    this.schedule();
  }

  image(node: string | undefined, image: Buffer, mime: ImageMime): void {
    const from = node ?? this.current;
    if (from === undefined) return;
    this.images.set(graphNode(from, this.options.prompt), { image, mime });
    this.schedule();
  }

  /** A preview that nobody can see. */
  drop(why: string): void {
    this.dropped.set(why, (this.dropped.get(why) ?? 0) + 1);
  }

  /** What was left out on the way, as sentences. */
  get missed(): string[] {
    return Array.from(this.dropped, ([why, count]) => `${count === 1 ? "A preview was" : `${count} previews were`} left out: ${why}`);
  }

  /** Sends the news that have not been sent yet. */
  async close(): Promise<void> {
    clearTimeout(this.timer);
    this.timer = undefined;
    await this.sending;
  }

  private finish(id: string): void {
    if (this.done.has(id)) return;
    this.done.add(id);
    if (id === graphNode(id, this.options.prompt)) this.tell(id, { progress: 1 });
  }

  private steps(node: string, value: number, max: number): void {
    if (!(max > 0)) return;
    const share = Math.max(0, Math.min(1, value / max));
    const { windows } = this.options;
    const whole = windows?.node === node ? this.inWindow(share, windows.count) : { progress: share };
    this.tell(node, { ...whole, step: Math.max(0, Math.round(value)), steps: Math.max(0, Math.round(max)) });
  }

  private window = 0;
  private lastShare = 0;
  /** There may be more windows than were thought: the last one then stands for all others, and does not begin again. */
  private furthest = 0;
  private inWindow(share: number, count: number): News {
    if (share < this.lastShare) this.window = Math.min(count - 1, this.window + 1);
    this.lastShare = share;
    this.furthest = Math.max(this.furthest, Math.min(0.99, (this.window + share) / count));
    return { progress: this.furthest, note: `Window ${this.window + 1} of ${count}` };
  }

  private tell(id: string, news: News): void {
    const node = graphNode(id, this.options.prompt);
    this.news.set(node, { ...this.news.get(node), ...news });
  }

  private schedule(): void {
    this.timer ??= setTimeout(
      () => {
        this.timer = undefined;
        this.sentAt = Date.now();
        this.sending = this.sending.then(() => this.flush()).catch(() => {}); // previews may be lost, by contract
      },
      Math.max(FIRST_MS, this.sentAt + BUS.coalesce.progressMs - Date.now()),
    );
  }

  private async flush(): Promise<void> {
    const { only, send, store } = this.options;
    const nodes = new Set([...this.news.keys(), ...this.images.keys()]);
    const batch = [...nodes].map((node) => ({ node, news: this.news.get(node) ?? {}, image: this.images.get(node) }));
    this.news.clear();
    this.images.clear();
    for (const { node, news, image } of batch) {
      const preview = image && (await store(image.image, image.mime).catch((error: unknown) => void this.drop(reasonOf(error))));
      const progress = only === undefined ? { node, ...news } : this.ofWhole(node, news);
      if (Object.keys(progress).length > 0 || preview) await send({ ...progress, ...(preview ? { preview } : {}) });
    }
    if (!this.stepped) await send({ progress: Math.min(0.99, this.done.size / this.total) });
  }

  /** Of a prompt that is one node of the graph: what its nodes show is that node's; its steps are those of the one that counts. */
  private ofWhole(node: string, { progress, step, steps, ...shown }: News): News {
    const { only, windows } = this.options;
    if (node !== (windows?.node ?? only) || progress === undefined) return shown;
    this.stepped = true;
    return { ...shown, progress: Math.min(0.99, progress), ...(steps === undefined ? {} : { step, steps }) } as News;
  }
}

/** One for all previews that fail alike. */
const reasonOf = (error: unknown): string => (error instanceof Error ? error.message : String(error)).slice(0, 300);
