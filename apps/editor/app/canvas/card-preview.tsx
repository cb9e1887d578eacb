// The largest thing on a card is its result: what streams in while it runs, and what it made.
import type { NodeDefinition } from "@spindle/graph-model";
import type { ArtifactRef } from "@spindle/schemas";
import { isArtifact } from "../session/files";
import { useRunStore } from "../session/run-store";
import { Media, type MediaKind, mediaKind } from "../ui/media";

export function CardPreview({ id, definition }: { id: string; definition: NodeDefinition | undefined }) {
  const live = useRunStore((store) => store.live[id]);
  const node = useRunStore((store) => store.nodes[id]);
  const done = node?.state === "succeeded";
  const output = done ? firstToShow(node.output ?? {}, definition) : undefined;
  // Inside a ComfyUI prompt a node may give nothing that can leave it; what it showed last stays.
  const media = isArtifact(output) ? output : done && output !== undefined ? undefined : live?.preview;
  const running = node?.state === "running";
  if (media) return <MediaPreview media={media} final={media === output} />;
  const text = typeof output === "string" ? output : live?.text;
  if (text)
    return (
      <div className="card-preview text nowheel">
        {text.slice(0, 600)}
        {running && <span className="typing-caret" />}
      </div>
    );
  if (output !== undefined) return <div className="card-preview text monospace">{JSON.stringify(output).slice(0, 300)}</div>;
  return null;
}

const LOOKS: Partial<Record<MediaKind, string>> = { audio: " with-waveform", text: " text monospace", file: " text" };

function MediaPreview({ media, final }: { media: ArtifactRef; final: boolean }) {
  return (
    <div className={`card-preview nowheel${LOOKS[mediaKind(media)] ?? ""}`}>
      <Media media={media} alt={final ? "Result" : "Preview while it runs"} video={{ className: "nodrag", muted: true, loop: true }} />
      {!final && <span className="caption">Preview</span>}
    </div>
  );
}

/** The output to show: media before text before anything else, each in the order of the ports. */
export function firstToShow(output: Record<string, unknown>, definition: NodeDefinition | undefined): unknown {
  const names = definition?.outputs.map((port) => port.name) ?? Object.keys(output);
  const values = names.map((name) => output[name]).filter((value) => value !== undefined && value !== null);
  return values.find(isArtifact) ?? values.find((value) => typeof value === "string") ?? values[0];
}
