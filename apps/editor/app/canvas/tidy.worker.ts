// Lays cards out off the page's thread: of a large graph it takes seconds.
import { laidOut, type Plan } from "./arrange";

self.onmessage = ({ data }: MessageEvent<Plan>) => postMessage(laidOut(data));
