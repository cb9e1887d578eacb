// The parts of the editor's page, which F6 goes through: bar, library, canvas, inspector, and the panel below.
import { focusCanvas } from "./focus";

const REGIONS = [".top", ".library", ".canvas-area", ".inspector", ".editor-page > .bottom"];
const STOPS = "a[href], button:not(:disabled), input:not(:disabled), select:not(:disabled), textarea:not(:disabled), [tabindex='0']";

const isSeen = (element: Element): element is HTMLElement => element instanceof HTMLElement && element.checkVisibility();
const stopIn = (region: Element): HTMLElement | undefined =>
  [...region.querySelectorAll(STOPS)].find((one): one is HTMLElement => isSeen(one) && one.tabIndex >= 0);

/** The region after the one that has the focus, or before it; undefined past the last one, where the browser goes on. */
function besides(step: 1 | -1): Element | undefined {
  const regions = REGIONS.flatMap((name) => document.querySelector(name) ?? []).filter((region) => isSeen(region) && stopIn(region));
  const at = regions.findIndex((region) => region.contains(document.activeElement));
  return at < 0 ? regions.at(step > 0 ? 0 : -1) : at + step < 0 ? undefined : regions[at + step];
}

export const whyNoRegion = (step: 1 | -1): string | undefined =>
  besides(step) ? undefined : `This is the ${step > 0 ? "last" : "first"} part of the page.`;

export function goToRegion(step: 1 | -1): void {
  const region = besides(step);
  if (region?.matches(".canvas-area")) focusCanvas();
  else if (region) stopIn(region)?.focus();
}
