// A Spindle beside a ComfyUI, and the graph that most workflows begin with.
import { FakeComfy } from "../../workers/comfy-bridge/test/fake/fake-comfy.ts";
import { graphOf, named, node, placed, type Spindle, startSpindle, until, wire } from "./spindle.ts";

/** Stopped, it stops its ComfyUI with it. */
export type ComfySpindle<Fake = FakeComfy> = Spindle & { readonly fake: Fake };

interface Options extends NonNullable<Parameters<typeof startSpindle>[0]> {
  /** A class of node that the library has once the Spindle is ready; any, if it is left out. */
  offers?: string;
}

/** The ComfyUI is the fake one. */
export async function startComfySpindle(options: Options = {}): Promise<ComfySpindle> {
  const fake = await FakeComfy.start();
  return startBeside(fake, fake.url, options);
}

/** The ComfyUI is the fake one, which is prepared first; with SPINDLE_COMFY_UNDER_TEST, the URL of a real one, it is that. */
export async function startAnyComfySpindle(
  options: Options,
  prepare: (fake: FakeComfy) => void = () => {},
): Promise<ComfySpindle<FakeComfy | undefined>> {
  const real = process.env.SPINDLE_COMFY_UNDER_TEST;
  if (real) return startBeside(undefined, real, options);
  const fake = await FakeComfy.start();
  prepare(fake);
  return startBeside(fake, fake.url, options);
}

async function startBeside<Fake extends FakeComfy | undefined>(fake: Fake, url: string, { offers, env, ...options }: Options) {
  const spindle = await startSpindle({ ...options, env: { COMFY_URL: url, ...env } });
  const stop = async () => {
    await spindle.stop();
    await fake?.stop();
  };
  const library = async () => (await fetch(`${spindle.url}/api/capabilities`)).text();
  const isThere = async () => (await library()).includes(offers ? `"${offers}"` : '"plane":"comfy"');
  await until(isThere, 60_000, "ComfyUI's nodes are there").catch(async (error) => {
    await stop();
    throw error;
  });
  return { ...spindle, fake, stop };
}

export const comfy = (id: string, service: string, params?: Record<string, unknown>) => node(id, service, params, "comfy");

/** What ComfyUI wrote while it ran a node, and what there is to say of it. */
export async function logOf(url: string, run: string, path: string): Promise<string> {
  const answer = await fetch(`${url}/api/runs/${run}/logs?path=${path}`);
  return ((await answer.json()) as { text: string }[]).map(({ text }) => text).join("\n");
}

interface After {
  nodes: Parameters<typeof graphOf>[0];
  wires: NonNullable<Parameters<typeof graphOf>[1]>;
  places: Parameters<typeof placed>[0];
}

/** A checkpoint and two prompts make a small picture in so many steps; what follows takes it from `decode`, whose port is `IMAGE`. */
export const pictureGraph = (steps: number, { nodes, wires, places }: After) =>
  graphOf(
    [
      named("Load", comfy("load", "CheckpointLoaderSimple", { ckpt_name: "a.safetensors" })),
      named("Wanted", comfy("yes", "CLIPTextEncode", { text: "a dog" })),
      named("Unwanted", comfy("no", "CLIPTextEncode", { text: "blur" })),
      named("Empty", comfy("empty", "EmptyLatentImage", { width: 96, height: 64 })),
      named("Sampler", comfy("sample", "KSampler", { seed: 5, steps })),
      named("Decode", comfy("decode", "VAEDecode")),
      ...nodes,
    ],
    [
      wire("load", "CLIP", "yes", "clip"),
      wire("load", "CLIP", "no", "clip"),
      wire("load", "MODEL", "sample", "model"),
      wire("yes", "CONDITIONING", "sample", "positive"),
      wire("no", "CONDITIONING", "sample", "negative"),
      wire("empty", "LATENT", "sample", "latent_image"),
      wire("sample", "LATENT", "decode", "samples"),
      wire("load", "VAE", "decode", "vae"),
      ...wires,
    ],
    placed(places),
  );

/** The picture becomes a film, which the Python plane makes larger: the nodes `film` and `large`. */
export const filmGraph = (steps: number, { nodes = [], wires = [], places }: Partial<After> & Pick<After, "places">) =>
  pictureGraph(steps, {
    nodes: [
      ...nodes,
      named("Film", comfy("film", "CreateVideo", { fps: 8 })),
      named("Upscale", node("large", "generate.upscale_video", {}, "python")),
    ],
    wires: [...wires, wire("decode", "IMAGE", "film", "images"), wire("film", "VIDEO", "large", "videoArtifact")],
    places,
  });
