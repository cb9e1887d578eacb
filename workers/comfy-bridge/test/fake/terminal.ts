/** What the fake ComfyUI writes on its terminal, as `/internal/logs/raw` tells it. */
export class Terminal {
  readonly entries: { t: string; m: string }[] = [];

  /** A moment after what was written before; a bar takes the place of its last state, as in ComfyUI's own log. */
  write(m: string): void {
    const last = this.entries.at(-1);
    const at = Math.max(Date.now(), Date.parse(last?.t ?? "1970-01-01") + 1);
    if (last && m.startsWith("\r") && !last.m.endsWith("\n")) this.entries.pop();
    this.entries.push({ t: new Date(at).toISOString(), m });
  }
}
