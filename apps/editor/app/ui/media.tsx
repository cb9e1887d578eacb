// Shows an artifact as what it is, wherever it is shown: on a card, in the inspector, beside the form.
import { type ArtifactRef, MEDIA_TYPES } from "@spindle/schemas";
import { useQuery } from "@tanstack/react-query";
import { Download } from "lucide-react";
import type { RefAttributes, VideoHTMLAttributes } from "react";
import { artifactUrl, downloadUrl } from "../session/files";
import { frameOf } from "../session/frames";
import { PaintedFrame } from "./painted-frame";
import { Waveform } from "./waveform";

export type MediaKind = "image" | "audio" | "video" | "text" | "file";

/** The longest text that is shown rather than offered as a file, in bytes. */
const MOST_TEXT = 100_000;

/** How an artifact is shown; `file` for what no browser shows, which is offered for download. */
export function mediaKind({ mime, size }: Pick<ArtifactRef, "mime" | "size">): MediaKind {
  const type = (mime.split(";")[0] ?? "").trim();
  if (type.startsWith("text/") || type === "application/json") return size <= MOST_TEXT ? "text" : "file";
  const isShown = MEDIA_TYPES[type]?.inline === true;
  const kind = (["image", "audio", "video"] as const).find((each) => type.startsWith(`${each}/`));
  return isShown && kind ? kind : "file";
}

interface MediaProps {
  media: ArtifactRef;
  /** What a picture is, for those who do not see it. */
  alt: string;
  /** The height of a sound's waveform, in pixels. */
  height?: number;
  /** Shows one moment of a video, without controls. */
  still?: boolean;
  video?: VideoHTMLAttributes<HTMLVideoElement> & RefAttributes<HTMLVideoElement>;
}

export function Media({ media, alt, height = 36, still = false, video }: MediaProps) {
  const url = artifactUrl(media);
  switch (mediaKind(media)) {
    case "image": {
      const frame = frameOf(media.artifact);
      return frame ? <PaintedFrame frame={frame} alt={alt} /> : <img src={url} alt={alt} loading="lazy" />;
    }
    case "audio":
      return <Waveform url={url} height={height} />;
    case "video":
      return still ? (
        <video src={`${url}#t=0.1`} muted playsInline preload="metadata" />
      ) : (
        <video key={url} src={url} controls playsInline preload="metadata" {...video} />
      );
    case "text":
      return <TextFile media={media} url={url} />;
    case "file":
      return <FileLink media={media} />;
  }
}

function TextFile({ media, url }: { media: ArtifactRef; url: string }) {
  const { data, isError } = useQuery({ queryKey: ["text", url], queryFn: () => textAt(url), staleTime: Number.POSITIVE_INFINITY });
  if (isError) return <FileLink media={media} />;
  return <pre className="copyable">{data}</pre>;
}

/** @throws Error where the server does not give the file */
async function textAt(url: string): Promise<string> {
  const answer = await fetch(url);
  if (!answer.ok) throw new Error(`The file was answered ${answer.status}.`);
  return answer.text();
}

const FileLink = ({ media }: { media: ArtifactRef }) => (
  <a className="button" href={downloadUrl(media)} download>
    <Download size={14} /> {media.name ?? media.mime}
  </a>
);
