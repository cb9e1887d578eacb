// Shows a value as what it is: media is seen and heard, text is read, the rest is JSON.
import { Download } from "lucide-react";
import { downloadUrl, isArtifact } from "../session/files";
import { Media } from "./media";
import { sizeWords } from "./words";

export function Viewer({ name, value }: { name: string; value: unknown }) {
  return (
    <figure className="viewer">
      <figcaption className="row text-small">
        <span className="medium ellipsis">{name}</span>
        <span className="grow" />
        {isArtifact(value) && (
          <>
            <span className="text-faint text-tiny digits">
              {value.width ? `${value.width} × ${value.height}, ` : ""}
              {sizeWords(value.size)}
            </span>
            <a className="button icon quiet" href={downloadUrl(value)} download aria-label={`Download ${name}, with its graph inside`}>
              <Download size={14} />
            </a>
          </>
        )}
      </figcaption>
      <Value value={value} name={name} />
    </figure>
  );
}

function Value({ value, name }: { value: unknown; name: string }) {
  if (isArtifact(value)) return <Media media={value} alt={name} height={48} />;
  if (Array.isArray(value) && value.some(isArtifact))
    return (
      <div className="stack">
        {value.map((element, index) => (
          <Value key={`${name} ${index + 1}`} value={element} name={`${name}, element ${index + 1}`} />
        ))}
      </div>
    );
  if (typeof value === "string") return <pre className="prose copyable">{value}</pre>;
  return <pre className="copyable">{JSON.stringify(value, null, 2)}</pre>;
}
