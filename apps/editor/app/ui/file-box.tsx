// A place for one file: dropped or chosen, uploaded at once, shown as what it is.
import { type ArtifactRef, PORT_TYPES } from "@spindle/schemas";
import { Upload } from "lucide-react";
import { useId, useState } from "react";
import { artifactUrl, upload } from "../session/files";
import { useProblemMarks } from "./row";
import { Waveform } from "./waveform";

/** The files that a browser offers first for a port of that type. */
const accept = (kind: string): string | undefined =>
  PORT_TYPES[kind]?.media?.map((begin) => (begin.endsWith("/") ? `${begin}*` : begin)).join(",") || undefined;

export function FileBox({
  kind,
  label,
  value,
  onChange,
}: {
  kind: string;
  label: string;
  value: ArtifactRef | undefined;
  onChange(value: ArtifactRef | undefined): void;
}) {
  const id = useId();
  const marks = useProblemMarks();
  const [over, setOver] = useState(false);
  const [state, setState] = useState<{ busy?: string; error?: string }>({});
  const send = async (file: File | undefined) => {
    if (!file) return;
    setState({ busy: file.name });
    try {
      onChange(await upload(file, file.name, kind));
      setState({});
    } catch (error) {
      setState({ error: (error as Error).message });
    }
  };
  return (
    <div className="stack narrow">
      {/* biome-ignore lint/a11y/noStaticElementInteractions: dropping is a second way; the button is the first */}
      <div
        className="file-box"
        data-over={over}
        onDragOver={(event) => {
          event.preventDefault();
          setOver(true);
        }}
        onDragLeave={() => setOver(false)}
        onDrop={(event) => {
          event.preventDefault();
          event.stopPropagation();
          setOver(false);
          void send(event.dataTransfer.files[0]);
        }}
      >
        {value?.mime.startsWith("image/") && <img src={artifactUrl(value)} alt="" />}
        {value?.mime.startsWith("audio/") ? (
          <div className="grow">
            <Waveform url={artifactUrl(value)} />
          </div>
        ) : (
          <div className="grow file-name">
            <div className="ellipsis">
              {state.busy ? `Uploading ${state.busy}` : (value?.name ?? (value ? value.mime : `Drop a file here`))}
            </div>
            <div className="text-faint text-tiny digits">
              {value?.width ? `${value.width} × ${value.height}` : value ? `${Math.round(value.size / 1000)} kB` : kind}
            </div>
          </div>
        )}
        <label className="button" htmlFor={id}>
          {value ? (
            "Replace"
          ) : (
            <>
              <Upload size={14} /> Choose
            </>
          )}
        </label>
        <input
          id={id}
          className="visually-hidden"
          type="file"
          aria-label={label}
          accept={accept(kind)}
          {...marks}
          onChange={(event) => void send(event.target.files?.[0])}
        />
      </div>
      {state.error && (
        <p className="error-text" role="alert">
          {state.error}
        </p>
      )}
    </div>
  );
}
