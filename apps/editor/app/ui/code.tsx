import { lazy, Suspense, useEffect, useState } from "react";
import type { CodeProps } from "./monaco.client";

const Monaco = lazy(() => import("./monaco.client"));

/** Monaco, once the page runs in a browser. */
export function Code({ tall, ...props }: CodeProps & { tall?: boolean }) {
  const [here, setHere] = useState(false);
  useEffect(() => setHere(true), []);
  const blank = <div className="skeleton" style={{ height: "100%" }} />;
  return (
    <div className={`code-host${tall ? " tall" : ""} nodrag nowheel`}>
      {here ? (
        <Suspense fallback={blank}>
          <Monaco {...props} />
        </Suspense>
      ) : (
        blank
      )}
    </div>
  );
}
