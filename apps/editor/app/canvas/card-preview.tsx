// The largest thing on a card is its result: what streams in while it runs, and what it made. What it showed on the way is kept to look back at.
import type { NodeDefinition } from "@spindle/graph-model";
import type { ArtifactRef } from "@spindle/schemas";
import { Expand, Pause, Play } from "lucide-react";
import { useRef, useState } from "react";
import { isArtifact } from "../session/files";
import { useShownRuns } from "../session/run-store";
import { Media, type MediaKind, mediaKind } from "../ui/media";
import { firstToShow, showFullScreen } from "./full-screen";
import { useCardTab } from "./tab-stop";

interface Props {
  id: string;
  definition: NodeDefinition | undefined;
  title: string;
  /** What is given in place of a result. */
  pinned: Record<string, unknown> | null | undefined;
}

export function CardPreview({ id, definition, title, pinned }: Props) {
  const live = useShownRuns((store) => store.live[id]);
  const node = useShownRuns((store) => store.nodes[id]);
  const kept = useShownRuns((store) => store.previews[id]);
  const done = node?.state === "succeeded";
  const given = pinned ?? (done ? (node.output ?? {}) : undefined);
  const output = given && firstToShow(given, definition);
  // Inside a ComfyUI prompt a node may give nothing that can leave it; what it showed last stays.
  const media = isArtifact(output) ? output : given && output !== undefined ? undefined : (live?.preview ?? kept?.at(-1));
  const running = node?.state === "running";
  if (media) return <MediaPreview media={media} final={media === output} title={title} kept={kept ?? NONE} />;
  const text = typeof output === "string" ? output : live?.text;
  if (text)
    return (
      <div className="card-preview text nowheel" data-look>
        {text.slice(0, 600)}
        {running && <span className="typing-caret" />}
      </div>
    );
  if (output !== undefined)
    return (
      <div className="card-preview text monospace" data-look>
        {JSON.stringify(output).slice(0, 300)}
      </div>
    );
  return null;
}

const NONE: readonly ArtifactRef[] = [];
const APPEARANCES: Partial<Record<MediaKind, string>> = { audio: " with-waveform", text: " text monospace", file: " text" };

interface MediaProps {
  media: ArtifactRef;
  final: boolean;
  title: string;
  /** The previews that were shown before, the oldest first. */
  kept: readonly ArtifactRef[];
}

function MediaPreview({ media, final, title, kept }: MediaProps) {
  const tab = useCardTab();
  const frames = [...kept.filter(({ artifact }) => artifact !== media.artifact), media];
  const last = frames.length - 1;
  // The newest is followed until the person looks back.
  const [at, lookBack] = useState<string>();
  const found = frames.findIndex(({ artifact }) => artifact === at);
  const index = found < 0 ? last : found;
  const shown = frames[index] ?? media;
  const isResult = final && index === last;
  const kind = mediaKind(shown);
  const video = useRef<HTMLVideoElement>(null);
  const [isPlaying, setPlaying] = useState(false);
  return (
    <div className={`card-preview nowheel${APPEARANCES[kind] ?? ""}`} data-look>
      <Media
        media={shown}
        alt={isResult ? "Result" : "Preview while it runs"}
        video={{
          ref: video,
          controls: false,
          muted: true,
          loop: true,
          onPlay: () => setPlaying(true),
          onPause: () => setPlaying(false),
        }}
      />
      {!isResult && <span className="caption">{final ? `Preview ${index + 1} of ${frames.length}` : "Preview"}</span>}
      {(kind === "video" || kind === "image") && (
        <div className="media-buttons nodrag">
          {kind === "video" && (
            <button
              type="button"
              {...tab}
              className="button icon"
              aria-label={`${isPlaying ? "Pause" : "Play"} ${title}`}
              onClick={() => void (isPlaying ? video.current?.pause() : video.current?.play())}
            >
              {isPlaying ? <Pause size={14} /> : <Play size={14} />}
            </button>
          )}
          <button
            type="button"
            {...tab}
            className="button icon"
            aria-label={`Show ${title} full screen`}
            onClick={() => showFullScreen(title, shown)}
          >
            <Expand size={14} />
          </button>
        </div>
      )}
      {frames.length > 1 && (
        <input
          type="range"
          {...tab}
          className="rewind nodrag nopan"
          aria-label={`Look back at ${title}`}
          aria-valuetext={isResult ? "Result" : `Preview ${index + 1} of ${frames.length}`}
          title="Look back at what it showed while it ran"
          min={0}
          max={last}
          value={index}
          onChange={({ target }) => lookBack(Number(target.value) === last ? undefined : frames[Number(target.value)]?.artifact)}
        />
      )}
    </div>
  );
}
