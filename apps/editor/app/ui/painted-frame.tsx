import { useLayoutEffect, useRef } from "react";

/** A picture that is decoded already. */
export function PaintedFrame({ frame, alt }: { frame: ImageBitmap; alt: string }) {
  const canvas = useRef<HTMLCanvasElement>(null);
  useLayoutEffect(() => {
    if (!canvas.current || frame.width === 0) return; // a frame that was given up meanwhile stays as it is painted
    canvas.current.width = frame.width;
    canvas.current.height = frame.height;
    canvas.current.getContext("2d")?.drawImage(frame, 0, 0);
  }, [frame]);
  return <canvas ref={canvas} role="img" aria-label={alt} />;
}
