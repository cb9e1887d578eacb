// What a video says of itself. Its frames are not read: a worker that decodes them finds out whether it says the truth.
import type { FileHandle } from "node:fs/promises";
import { setImmediate as others } from "node:timers/promises";
import { CustomSource, Input, MATROSKA, MP4, QTFF, WEBM } from "mediabunny";

/** What may be read of one: the tables of some hours. Counted and not timed, so that a file is judged alike on every machine. */
const MOST = { reads: 20_000, bytes: 16 * 1024 * 1024 };
const CACHE_BYTES = 1024 * 1024;
const LONGEST_SECONDS = 30 * 24 * 3600;
const LARGEST_SIDE = 65_535;

export type VideoFacts = { width?: number; height?: number; duration?: number };

/**
 * Size as it is shown (rotated, with square pixels) and duration; nothing where a file does not say it, is damaged or lies beyond all measure.
 * @param size of the file, in bytes
 * @param signal ends the work with its reason
 */
export async function videoFacts(file: FileHandle, size: number, signal?: AbortSignal): Promise<VideoFacts> {
  const read = boundedReader(file, signal);
  const source = new CustomSource({ getSize: () => size, read, maxCacheSize: CACHE_BYTES, handleUnhandledError: () => {} });
  const input = new Input({ source, formats: [MP4, QTFF, WEBM, MATROSKA] });
  try {
    const track = await input.getPrimaryVideoTrack();
    if (!track) return {};
    const [width, height] = [Math.round(await track.getDisplayWidth()), Math.round(await track.getDisplayHeight())];
    const isSized = [width, height].every((side) => side >= 1 && side <= LARGEST_SIDE);
    const duration = Number(await input.getDurationFromMetadata());
    return { ...(isSized ? { width, height } : {}), ...(duration > 0 && duration <= LONGEST_SECONDS ? { duration } : {}) };
  } catch {
    signal?.throwIfAborted();
    return {};
  } finally {
    input.dispose();
  }
}

function boundedReader(file: FileHandle, signal?: AbortSignal): (start: number, end: number) => Promise<Uint8Array> {
  let [reads, bytes] = [0, 0];
  return async (start, end) => {
    reads += 1;
    bytes += end - start;
    if (reads > MOST.reads || bytes > MOST.bytes) throw new Error("the video has more structure than is read");
    if (reads % 64 === 0) await others();
    signal?.throwIfAborted();
    const { buffer, bytesRead } = await file.read({ buffer: Buffer.alloc(end - start), position: start });
    if (bytesRead < end - start) throw new Error("the file became shorter");
    return buffer;
  };
}
