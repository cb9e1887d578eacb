// An edge: when it is followed, whether it repeats what lies before it, whether it fans a list out.
import { edgeId, edgeMetadata, type Graph, type GraphEdge, type Level, type Library, nodeTitle, resolve } from "@spindle/graph-model";
import { type EdgeChange, remove, type Sheet, setEdge } from "@spindle/graph-model/shared-doc";
import { Spline, Trash2 } from "lucide-react";
import { ME } from "../session/use-document";
import { Row } from "../ui/row";
import { type Typed, Widget } from "../ui/widget";

const KINDS = [
  ["normal", "The node before it succeeded"],
  ["on_failure", "The node before it failed"],
] as const;

export function EdgeInspector({ sheet, graph, library, id }: { sheet: Sheet; graph: Graph; library: Library; id: string }) {
  const edge = graph.edges.find((one, index) => edgeId(one, index) === id);
  if (!edge) return null;
  const level = resolve(graph, library).root;
  const title = (node: string): string => nodeTitle(level.node(node)?.node ?? { id: node });
  const change = (next: EdgeChange, typed?: Typed) => setEdge(sheet, ME, id, next, typed);
  const { when, loop, map, sourcePort, targetPort } = edgeMetadata(edge);
  return (
    <>
      <div className="inspector-head">
        <Spline size={16} className="text-muted" />
        <div className="grow">
          <h2 className="ellipsis">
            {title(edge.from)} to {title(edge.to)}
          </h2>
          <div className="text-faint text-tiny monospace ellipsis">
            {sourcePort && targetPort ? `${sourcePort} to ${targetPort}` : "order only, by name"}
          </div>
        </div>
        <button type="button" className="button icon quiet" aria-label="Delete the wire" onClick={() => remove(sheet, ME, [], [id])}>
          <Trash2 size={14} />
        </button>
      </div>
      <div className="scroll" key={id}>
        <section className="section">
          <h4>Followed if</h4>
          <select
            className="field"
            aria-label="Followed if"
            value={edge.kind === "on_failure" ? "on_failure" : "normal"}
            onChange={(event) => change({ kind: event.target.value as (typeof KINDS)[number][0] })}
          >
            {KINDS.map(([kind, words]) => (
              <option key={kind} value={kind}>
                {words}
              </option>
            ))}
          </select>
          <Row label="and" problem={level.condition(edge)?.fault}>
            <Widget
              label="Condition"
              schema={{ type: "string", maxLength: 1000 }}
              value={when}
              placeholder={edge.kind === "on_failure" ? 'error.class == "transient"' : conditionExample(level, edge)}
              onChange={(value, typed) => change({ when: (value as string | undefined) ?? null }, typed)}
            />
          </Row>
          <p className="text-faint text-small">A CEL expression over output, error, context and inputs. Empty: always.</p>
        </section>
        {loop && (
          <section className="section">
            <h4>Repeats</h4>
            <Row label="At most" hint="Visits of what lies between both ends.">
              <Widget
                label="At most"
                schema={{ type: "integer", minimum: 1, maximum: 10000 }}
                value={loop.maxIterations}
                onChange={(value) => change({ loop: { maxIterations: Number(value ?? 1) } })}
              />
            </Row>
            <p className="text-faint text-small">
              Goes back to {title(edge.to)} while this edge is followed. What comes after sees the last visit.
            </p>
          </section>
        )}
        {map && <MapSection map={map} change={change} to={title(edge.to)} />}
        {!loop && !map && sourcePort && targetPort && (
          <section className="section">
            <button type="button" className="button" onClick={() => change({ map: {} })}>
              Run {title(edge.to)} for each element
            </button>
          </section>
        )}
      </div>
    </>
  );
}

function MapSection({ map, change, to }: { map: { limit?: number; tolerate?: number }; change(next: EdgeChange): void; to: string }) {
  const set = (name: "limit" | "tolerate") => (value: unknown) => {
    const { [name]: _, ...rest } = map;
    change({ map: value === undefined ? rest : { ...rest, [name]: Number(value) } });
  };
  return (
    <section className="section">
      <h4>
        For each
        <button type="button" className="button quiet at-end" onClick={() => change({ map: null })}>
          Pass the list as it is
        </button>
      </h4>
      <p className="text-faint text-small">{to} runs once per element; its outputs become lists.</p>
      <Row label="At once" hint="How many elements run at the same time; empty for all.">
        <Widget
          label="At once"
          schema={{ type: "integer", minimum: 1, maximum: 1000 }}
          value={map.limit}
          placeholder="All"
          onChange={set("limit")}
        />
      </Row>
      <Row label="May fail" hint="How many elements may fail; null stands in their places.">
        <Widget label="May fail" schema={{ type: "integer", minimum: 0 }} value={map.tolerate} placeholder="0" onChange={set("tolerate")} />
      </Row>
    </section>
  );
}

function conditionExample(level: Level, edge: GraphEdge): string {
  const port = edgeMetadata(edge).sourcePort ?? level.node(edge.from)?.definition?.outputs[0]?.name ?? "score";
  return `output.${port} != ""`;
}
