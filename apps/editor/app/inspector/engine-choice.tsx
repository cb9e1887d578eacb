import type { LibraryEngine, NodeDefinition } from "@spindle/graph-model";
import { autoEngine } from "@spindle/graph-model";

const noteOf = (engine: LibraryEngine): string => (engine.live ? (engine.description ?? "") : (engine.reason ?? "No worker offers it."));
const licenceOf = ({ licence, commercial, auto }: LibraryEngine): string => {
  if (licence === undefined) return "";
  return ` Licence: ${licence}.${commercial === false ? ` No commercial use${auto === false ? "; automatic choice leaves it out" : ""}.` : ""}`;
};

/** `auto` is resolved when a run starts; the choice shows the engine that it would be now. */
export function EngineChoice({
  definition,
  value,
  onChange,
}: {
  definition: NodeDefinition;
  value: string;
  onChange(engine: string | undefined): void;
}) {
  const auto = autoEngine(definition);
  const row = (id: string, label: string, note: string, engine: LibraryEngine | undefined, chosen: () => void) => {
    const off = id !== "auto" && engine?.live === false;
    return (
      // biome-ignore lint/a11y/useSemanticElements: a list of rich choices; the radio inside is the control
      <div
        key={id}
        className={`${value === id ? "on" : ""}${off ? " off" : ""}`}
        role="radio"
        aria-checked={value === id}
        aria-disabled={off}
        tabIndex={0}
        onClick={off ? undefined : chosen}
        onKeyDown={(event) => (event.key === "Enter" || event.key === " ") && !off && chosen()}
      >
        <span className="radio" />
        <span>{label}</span>
        {engine?.live === false ? <span className="tag off">Offline</span> : engine?.draft ? <span className="tag">Draft</span> : <span />}
        <small>{note}</small>
      </div>
    );
  };
  return (
    <div className="engine-list" role="radiogroup" aria-label="Engine">
      {row(
        "auto",
        "Automatic",
        auto ? `Next run uses ${auto.label}.` : "No engine is live: a run is not accepted until one is.",
        auto,
        () => onChange(undefined),
      )}
      {definition.engines.map((engine) =>
        row(engine.id, engine.label, `${noteOf(engine)}${licenceOf(engine)}`, engine, () => onChange(engine.id)),
      )}
    </div>
  );
}
