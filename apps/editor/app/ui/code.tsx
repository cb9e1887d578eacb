import { type ComponentType, useEffect, useState } from "react";
import type { CodeProps } from "./monaco.client";

/** Monaco, once it has arrived; where it cannot, as offline, a plain field of the same text. */
export function Code({ tall, ...props }: CodeProps & { tall?: boolean }) {
  const [Editor, setEditor] = useState<ComponentType<CodeProps>>();
  useEffect(() => {
    let isLeft = false;
    const show = (editor: ComponentType<CodeProps>) => !isLeft && setEditor(() => editor);
    import("./monaco.client").then(
      (monaco) => show(monaco.default),
      () => show(PlainCode),
    );
    return () => {
      isLeft = true;
    };
  }, []);
  // React Flow takes the space bar for itself where it finds no field, and it takes Monaco for none.
  return (
    <div className={`code-host${tall ? " tall" : ""} nodrag nowheel nokey`}>
      {Editor ? <Editor {...props} /> : <div className="skeleton of-code" />}
    </div>
  );
}

function PlainCode({ label, value, onChange }: CodeProps) {
  return (
    <textarea
      className="field monospace plain-code"
      aria-label={label}
      value={value}
      readOnly={!onChange}
      onChange={(event) => onChange?.(event.target.value)}
    />
  );
}
