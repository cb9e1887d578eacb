import { Pause, Play } from "lucide-react";
import { useEffect, useRef, useState } from "react";
import type WaveSurfer from "wavesurfer.js";

const clock = (seconds: number): string => `${Math.floor(seconds / 60)}:${String(Math.floor(seconds % 60)).padStart(2, "0")}`;

/** Shows a sound as a waveform that can be played. */
export function Waveform({ url, height = 36 }: { url: string; height?: number }) {
  const host = useRef<HTMLDivElement>(null);
  const player = useRef<WaveSurfer>(undefined);
  const [playing, setPlaying] = useState(false);
  const [time, setTime] = useState({ at: 0, of: 0 });
  useEffect(() => {
    let gone = false;
    void import("wavesurfer.js").then(({ default: Surfer }) => {
      if (gone || !host.current) return;
      const style = getComputedStyle(host.current);
      const wave = Surfer.create({
        container: host.current,
        url,
        height,
        barWidth: 2,
        barGap: 2,
        barRadius: 1,
        cursorWidth: 0,
        waveColor: style.getPropertyValue("--line-field"),
        progressColor: style.getPropertyValue("--port-audio"),
      });
      player.current = wave;
      wave.on("ready", (of) => setTime({ at: 0, of }));
      wave.on("timeupdate", (at) => setTime((now) => ({ ...now, at })));
      wave.on("play", () => setPlaying(true));
      wave.on("pause", () => setPlaying(false));
      wave.on("error", () => {});
    });
    return () => {
      gone = true;
      player.current?.destroy();
      player.current = undefined;
    };
  }, [url, height]);
  return (
    <div className="row waveform nodrag">
      <button
        type="button"
        className="button icon quiet"
        aria-label={playing ? "Pause" : "Play"}
        onClick={() => void player.current?.playPause()}
      >
        {playing ? <Pause size={14} /> : <Play size={14} />}
      </button>
      <div ref={host} className="grow" />
      <span className="text-faint text-tiny digits">{clock(playing || time.at > 0 ? time.at : time.of)}</span>
    </div>
  );
}
