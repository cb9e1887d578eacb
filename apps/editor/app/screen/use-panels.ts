// Which panels a person has put away, and how large the others are, kept in this browser.
import { type CSSProperties, useEffect, useMemo } from "react";
import { create } from "zustand";
import { persist } from "zustand/middleware";
import type { Panel } from "./command";

/** The panels whose edge towards the canvas can be moved. */
export type SizedPanel = Exclude<Panel, "minimap">;

interface Kept {
  hidden: readonly Panel[];
  /** In pixels; a panel that nobody has moved has the size of the style sheets. */
  sizes: Partial<Record<SizedPanel, number>>;
}

const useKept = create<Kept>()(persist((): Kept => ({ hidden: [], sizes: {} }), { name: "spindle.panels", skipHydration: true }));

export interface Panels {
  hidden: ReadonlySet<Panel>;
  sizes: Kept["sizes"];
  open(panel: Panel): void;
  toggle(panel: Panel): void;
  /** @param size undefined for the first one */
  resize(panel: SizedPanel, size: number | undefined): void;
  /** For the page: what the style sheets go by. */
  className: string;
  style: CSSProperties;
}

export function usePanels(): Panels {
  const { hidden, sizes } = useKept();
  // The server draws the page with every panel; what this browser knows comes after that.
  useEffect(() => void useKept.persist.rehydrate(), []);
  return useMemo(() => {
    const open = (panel: Panel) => useKept.setState({ hidden: hidden.filter((other) => other !== panel) });
    const toggle = (panel: Panel) => (hidden.includes(panel) ? open(panel) : useKept.setState({ hidden: [...hidden, panel] }));
    const resize = (panel: SizedPanel, size: number | undefined) =>
      useKept.setState((now) => {
        const { [panel]: _, ...others } = now.sizes;
        return { sizes: size === undefined ? others : { ...others, [panel]: size } };
      });
    const sized = Object.entries(sizes);
    return {
      hidden: new Set(hidden),
      sizes,
      open,
      toggle,
      resize,
      className: ["editor-page", ...hidden.map((panel) => `no-${panel}`), ...sized.map(([panel]) => `sized-${panel}`)].join(" "),
      style: Object.fromEntries(sized.map(([panel, size]) => [`--own-${panel}`, `${size}px`])) as CSSProperties,
    };
  }, [hidden, sizes]);
}
