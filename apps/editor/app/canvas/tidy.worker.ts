// Lays cards out off the page's thread: of a large graph it takes seconds.
import { type LayoutTask, laidOut } from "./arrange";

self.onmessage = ({ data }: MessageEvent<LayoutTask>) => postMessage(laidOut(data));
