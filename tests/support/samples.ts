import { readFileSync } from "node:fs";
import { join } from "node:path";
import { ROOT } from "../../infra/launch/paths.ts";

const SAMPLES = join(ROOT, "templates/samples");
const file = (name: string, type: string): File => new File([new Uint8Array(readFileSync(join(SAMPLES, name)))], name, { type });

export const PORTRAIT = join(SAMPLES, "portrait.jpg");
export const VOICE = join(SAMPLES, "voice.wav");
export const PROMPT = "Welcome to the lecture on deep field photographs. We look at galaxies, that are older than the Sun.";

/** The form of the seed's call. */
export function talkForm(change: { image?: File; audio?: File; data?: unknown } = {}): FormData {
  const form = new FormData();
  form.set("image_file", change.image ?? file("portrait.jpg", "image/jpeg"));
  form.set("audio_file", change.audio ?? file("voice.wav", "audio/wav"));
  form.set(
    "data",
    typeof change.data === "string"
      ? change.data
      : JSON.stringify(change.data ?? { prompt: PROMPT, refText: "The quick crew checked every valve." }),
  );
  return form;
}

/** An uncompressed grey picture, or only the header of one. */
export function bmp(width: number, height: number, pixels = width * height * 3): Uint8Array {
  const out = Buffer.alloc(54 + pixels, 127);
  out.write("BM", 0, "latin1");
  [
    [out.length, 2],
    [0, 6],
    [54, 10],
    [40, 14],
    [width, 18],
    [height, 22],
  ].forEach(([value, at]) => out.writeInt32LE(value as number, at as number));
  out.writeInt16LE(1, 26);
  out.writeInt16LE(24, 28);
  out.fill(0, 30, 54);
  return new Uint8Array(out);
}
