import { type GraphNode, type NodeDefinition, type NodeSettings, type Port, portKind } from "@spindle/graph-model";
import { Handle, Position } from "@xyflow/react";
import { CardFieldRow } from "./card-fields";
import { fieldOf, isEditable } from "./fields";
import { useFits } from "./fits";

interface PortRowsProps {
  /** The definition; absent for a node that no plane offers. */
  definition: Pick<NodeDefinition, "inputs" | "outputs"> | undefined;
  /** Names of wired inputs, separated by spaces. */
  wired: string;
  /** The node whose inputs have their fields in the rows, with what it sets. */
  node: Pick<GraphNode, "id" | "params">;
  settings: NodeSettings;
  problems?: ReadonlyMap<string, string> | undefined;
}

/** Inputs left, outputs right, in the same rows; below them the inputs that are mostly set by hand, with their fields. */
export function PortRows({ definition, wired, node, settings, problems }: PortRowsProps) {
  const params = node.params ?? {};
  const inputs = definition?.inputs ?? [];
  const outputs = definition?.outputs ?? [];
  const taken = new Set(wired.split(" "));
  const sockets = inputs.filter((port) => port.schema["x-inline"] !== true);
  const inline = inputs.filter((port) => port.schema["x-inline"] === true && (taken.has(port.name) || isShown(port, params)));
  return (
    <div className="ports">
      {Array.from({ length: Math.max(sockets.length, outputs.length) }, (_, row) => {
        const [input, output] = [sockets[row], outputs[row]];
        return (
          <div className="port-row" key={JSON.stringify([input?.name, output?.name])}>
            {input && <PortHandle port={input} side="in" filled={taken.has(input.name)} />}
            {input && (
              <span title={`${input.label}: ${input.type}${input.description ? `. ${input.description}` : ""}`}>{input.label}</span>
            )}
            {output && (
              <span className="at-end" title={`${output.label}: ${output.type}`}>
                {output.label}
              </span>
            )}
            {output && <PortHandle port={output} side="out" filled />}
          </div>
        );
      })}
      {inline.map((port) => (
        <div className="port-row inline" key={port.name}>
          <PortHandle port={port} side="in" filled={taken.has(port.name)} />
          {taken.has(port.name) || !isEditable(port.schema) ? (
            <div className="card-field">
              <span className="card-field-label ellipsis" title={port.description}>
                {port.label}
              </span>
              <b className="ellipsis text-faint">{taken.has(port.name) ? "wired" : ""}</b>
            </div>
          ) : (
            <CardFieldRow node={node.id} field={fieldOf(port, settings)} value={params[port.name]} problem={problems?.get(port.name)} />
          )}
        </div>
      ))}
    </div>
  );
}

/**
 * Where the wires of a box end. React Flow reads places by these attributes; its own handles each follow every move of the view,
 * which a thousand cards in view cannot afford. Every port has its end, since they are measured once: a wire that comes later ends there,
 * too. No wire is drawn from a box by hand.
 */
export const WireEnds = ({ ports }: { ports: Pick<NodeDefinition, "inputs" | "outputs"> }) => (
  <>
    {ports.inputs.map(({ name }) => (
      <i key={name} className="react-flow__handle react-flow__handle-left target" data-handleid={name} data-handlepos={Position.Left} />
    ))}
    {ports.outputs.map(({ name }) => (
      <i key={name} className="react-flow__handle react-flow__handle-right source" data-handleid={name} data-handlepos={Position.Right} />
    ))}
  </>
);

/** Rarely used inputs show once they are set. */
const isShown = (port: Port, params: Readonly<Record<string, unknown>>): boolean =>
  port.schema["x-advanced"] !== true || params[port.name] !== undefined;

function PortHandle({ port, side, filled }: { port: Port; side: "in" | "out"; filled: boolean }) {
  const fits = useFits(port.name, side);
  const mark = fits === undefined ? "" : fits ? " fits" : " unfit";
  return (
    <Handle
      id={port.name}
      type={side === "in" ? "target" : "source"}
      position={side === "in" ? Position.Left : Position.Right}
      className={`port ${side}${filled ? "" : " open"}${mark}`}
      data-kind={portKind(port.type)}
      data-type={port.type}
      data-port={port.name}
      role="img"
      aria-label={`${side === "in" ? "Input" : "Output"} ${port.label}`}
    />
  );
}
