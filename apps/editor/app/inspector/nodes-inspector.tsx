// Several nodes at once: what they have in common is set for all of them.
import { type Graph, type Library, labelOf, nodeSettings, type ResolvedNode, resolve } from "@spindle/graph-model";
import { type Sheet, setParam, setSetting } from "@spindle/graph-model/shared-doc";
import type { LucideIcon } from "lucide-react";
import { asOwnStep, ME, type SharedDocument } from "../session/use-document";
import { Row } from "../ui/row";
import { Tip } from "../ui/tip";
import { Widget } from "../ui/widget";
import { NodeControl, VARIOUS } from "./node-control";

interface Action {
  id: string;
  title: string;
  icon?: LucideIcon;
  readonly why: string | undefined;
  run(): void;
}

interface Props {
  shared: SharedDocument;
  graph: Graph;
  library: Library;
  ids: readonly string[];
  /** What puts them in order. */
  order: readonly Action[];
}

export function NodesInspector({ shared, graph, library, ids, order }: Props) {
  const level = resolve(graph, library).root;
  const nodes = ids.flatMap((id) => level.node(id) ?? []);
  const counts = new Map<string, number>();
  for (const { node, definition } of nodes) {
    const name = definition?.label ?? node.service;
    counts.set(name, (counts.get(name) ?? 0) + 1);
  }
  const all = (edit: (sheet: Sheet, id: string) => void) =>
    asOwnStep(shared, () => shared.sheet.transact(() => ids.forEach((id) => edit(shared.sheet, id)), ME));
  const settings = ids.map((id) => nodeSettings(graph, id));
  const fields = commonFields(nodes);
  return (
    <>
      <div className="inspector-head">
        <div className="grow">
          <h2>{ids.length} nodes</h2>
          <div className="text-faint text-small">
            {[...counts].map(([name, count]) => (count > 1 ? `${count} × ${name}` : name)).join(", ")}
          </div>
        </div>
      </div>
      <div className="scroll">
        <section className="section">
          <h4>Order</h4>
          <div className="row order-row" role="toolbar" aria-label="Order">
            {order.map(({ id, title, icon: Icon, why, run }) => (
              <Tip key={id} text={why ?? title}>
                <button type="button" className="button icon" aria-label={title} disabled={why !== undefined} onClick={run}>
                  {Icon && <Icon size={14} />}
                </button>
              </Tip>
            ))}
          </div>
        </section>
        {fields.length > 0 && (
          <section className="section">
            <h4>In common</h4>
            {fields.map(({ name, label, hint, schema }) => {
              const values = nodes.map(({ node }) => node.params?.[name]);
              const isSame =
                common(values.map((value) => JSON.stringify(value))) !== undefined || values.every((value) => value === undefined);
              return (
                <Row key={name} label={label} hint={hint}>
                  <Widget
                    label={label}
                    schema={schema}
                    value={isSame ? values[0] : undefined}
                    {...(isSame ? {} : { placeholder: VARIOUS })}
                    onChange={(value) => all((sheet, id) => setParam(sheet, ME, id, name, value))}
                  />
                </Row>
              );
            })}
          </section>
        )}
        <NodeControl settings={settings} onSet={(name, value) => all((sheet, id) => setSetting(sheet, ME, id, name, value))} />
      </div>
    </>
  );
}

/** The value that all have; undefined if they differ. */
const common = <T,>(values: readonly T[]): T | undefined => (values.every((value) => value === values[0]) ? values[0] : undefined);

interface Field {
  name: string;
  label: string;
  hint: string | undefined;
  schema: Record<string, unknown>;
}

/** The parameters, and the inputs without a wire, that every node has with the same schema. */
function commonFields(nodes: readonly ResolvedNode[]): Field[] {
  const fieldsOf = ({ definition, sources }: ResolvedNode): Field[] => [
    ...(definition?.parameters ?? []).map(({ name, schema, description }) => ({
      name,
      label: labelOf(name, schema),
      hint: description,
      schema,
    })),
    ...sources.flatMap(({ kind, port }) =>
      kind === "wire" ? [] : [{ name: port.name, label: port.label, hint: port.description, schema: port.schema }],
    ),
  ];
  const [first, ...others] = nodes.map(fieldsOf);
  const rest = others.map((fields) => new Map(fields.map((field) => [field.name, JSON.stringify(field.schema)])));
  return (first ?? []).filter(({ name, schema }) => rest.every((fields) => fields.get(name) === JSON.stringify(schema)));
}
