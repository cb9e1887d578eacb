/** How long something on the page moves, in ms: not at all for a person whose system asks for stillness. */
export const moving = (milliseconds: number): number => (matchMedia("(prefers-reduced-motion: reduce)").matches ? 0 : milliseconds);
