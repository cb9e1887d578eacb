import { useParams } from "@remix-run/react";
import { ReactFlowProvider } from "@xyflow/react";
import { useEffect, useState } from "react";
import { GraphEditor } from "../screen/graph-editor";

/** The canvas runs in the browser alone; until it is mounted, an empty frame stands in for it. */
export default function GraphPage() {
  const { id = "" } = useParams();
  const [isMounted, setMounted] = useState(false);
  useEffect(() => setMounted(true), []);
  if (!isMounted)
    return (
      <div className="editor-page">
        <div className="top" />
        <div className="library" />
        <div className="canvas" />
        <div className="inspector" />
        <div className="bottom" />
      </div>
    );
  return (
    <ReactFlowProvider>
      <GraphEditor key={id} id={id} />
    </ReactFlowProvider>
  );
}
