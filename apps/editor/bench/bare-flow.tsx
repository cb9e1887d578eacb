// What `npm run bench -- canvas` measures the editor against: React Flow alone, culled, its nodes memoised, its state in one array each.
import { applyNodeChanges, type Edge, Handle, type Node, type NodeProps, Position, ReactFlow } from "@xyflow/react";
import { memo, useCallback, useState } from "react";
import { createRoot } from "react-dom/client";
import "@xyflow/react/dist/style.css";

interface Given {
  nodes: { id: string; label: string; x: number; y: number }[];
  edges: { id: string; from: string; to: string }[];
  width: number;
  height: number;
}
type BareNode = Node<{ label: string; state: string }, "bare">;

const Bare = memo(function Bare({ data: { label, state } }: NodeProps<BareNode>) {
  return (
    <article>
      <Handle type="target" position={Position.Left} />
      <header>{label}</header>
      {state}
      <Handle type="source" position={Position.Right} />
    </article>
  );
});
const TYPES = { bare: Bare };

let change: (states: Readonly<Record<string, string>>) => void = () => {};

function Page({ given }: { given: Given }) {
  const [nodes, setNodes] = useState<BareNode[]>(() =>
    given.nodes.map(({ id, label, x, y }) => ({
      id,
      type: "bare",
      position: { x, y },
      data: { label, state: "" },
      style: { width: given.width, height: given.height, background: "#fff", border: "1px solid #888" },
    })),
  );
  const [edges] = useState<Edge[]>(() => given.edges.map(({ id, from, to }) => ({ id, source: from, target: to })));
  const [text, setText] = useState("");
  change = useCallback(
    (states) =>
      setNodes((now) =>
        now.map((node) => {
          const state = states[node.id];
          return state === undefined ? node : { ...node, data: { ...node.data, state } };
        }),
      ),
    [],
  );
  return (
    <>
      <input aria-label="Text" value={text} onChange={(event) => setText(event.currentTarget.value)} />
      <div style={{ position: "fixed", inset: "40px 0 0 0" }}>
        <ReactFlow
          nodes={nodes}
          edges={edges}
          onNodesChange={(changes) => setNodes((now) => applyNodeChanges(changes, now))}
          nodeTypes={TYPES}
          minZoom={0.05}
          fitView
          onlyRenderVisibleElements
        />
      </div>
    </>
  );
}

Object.assign(window, {
  open: (text: string) => createRoot(document.getElementById("root") as Element).render(<Page given={JSON.parse(text) as Given} />),
  /** Gives the nodes these states in one update. */
  change: (states: Readonly<Record<string, string>>) => change(states),
});
