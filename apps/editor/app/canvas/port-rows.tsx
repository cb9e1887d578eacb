import { type NodeDefinition, type Port, portKind } from "@spindle/graph-model";
import { Handle, Position, useConnection } from "@xyflow/react";
import { useFits } from "./fits";

/** Inputs left, outputs right, in the same rows. `wired` lists the names of wired inputs, separated by spaces. */
export function PortRows({ definition, wired, bare }: { definition: NodeDefinition | undefined; wired: string; bare?: boolean }) {
  const inputs = definition?.inputs ?? [];
  const outputs = definition?.outputs ?? [];
  const taken = new Set(wired.split(" "));
  if (bare)
    return (
      <>
        {inputs.map((port) => (
          <PortHandle key={port.name} port={port} side="in" filled={taken.has(port.name)} />
        ))}
        {outputs.map((port) => (
          <PortHandle key={port.name} port={port} side="out" filled />
        ))}
      </>
    );
  return (
    <div className="ports">
      {Array.from({ length: Math.max(inputs.length, outputs.length) }, (_, row) => {
        const [input, output] = [inputs[row], outputs[row]];
        return (
          <div className="pr" key={input?.name ?? output?.name}>
            {input && <PortHandle port={input} side="in" filled={taken.has(input.name)} />}
            {input && (
              <span title={`${input.label}: ${input.type}${input.description ? `. ${input.description}` : ""}`}>{input.label}</span>
            )}
            {output && (
              <span className="r" title={`${output.label}: ${output.type}`}>
                {output.label}
              </span>
            )}
            {output && <PortHandle port={output} side="out" filled />}
          </div>
        );
      })}
    </div>
  );
}

function PortHandle({ port, side, filled }: { port: Port; side: "in" | "out"; filled: boolean }) {
  const dragging = useConnection((connection) =>
    connection.inProgress && connection.fromHandle?.type === "source"
      ? `${connection.fromNode.id}\n${connection.fromHandle.id}`
      : undefined,
  );
  const fits = useFits(side === "in" ? dragging : undefined, port.name);
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
      aria-label={`${side === "in" ? "Input" : "Output"} ${port.label}`}
    />
  );
}
