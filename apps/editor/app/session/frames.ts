// The newest previews, decoded beside the page's thread from bytes that came by the socket: they are painted without a request.
import type { Live } from "./types";

/** A picture of 1024 by 1024 takes 4 MiB. */
const KEPT = 8;

const frames = new Map<string, ImageBitmap>();

/** Undefined where the preview has to be loaded by its address. */
export const frameOf = (artifact: string): ImageBitmap | undefined => frames.get(artifact);

/** News of a node once the picture in it is ready to be painted. A picture that cannot be decoded is loaded by its address. */
export async function withFrame({ frame, ...live }: Live): Promise<Live> {
  if (frame === undefined || !live.preview) return live;
  const bytes = Uint8Array.from(atob(frame), (letter) => letter.charCodeAt(0));
  const found = await createImageBitmap(new Blob([bytes], { type: live.preview.mime })).catch(() => undefined);
  if (found) frames.set(live.preview.artifact, found);
  for (const [artifact, old] of frames) {
    if (frames.size <= KEPT) break;
    frames.delete(artifact);
    old.close();
  }
  return live;
}
