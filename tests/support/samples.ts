import { readFileSync } from "node:fs";
import { join } from "node:path";
import { ROOT } from "../../infra/launch/paths.ts";

const SAMPLES = join(ROOT, "templates/infinitetalk/samples");
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
