// Which panels a person has put away, kept in this browser.
import { useEffect, useMemo } from "react";
import { create } from "zustand";
import { persist } from "zustand/middleware";
import type { Panel } from "./command";

interface Hidden {
  hidden: readonly Panel[];
}

const useHidden = create<Hidden>()(persist((): Hidden => ({ hidden: [] }), { name: "spindle.panels", skipHydration: true }));

export interface Panels {
  hidden: ReadonlySet<Panel>;
  open(panel: Panel): void;
  toggle(panel: Panel): void;
}

export function usePanels(): Panels {
  const hidden = useHidden((state) => state.hidden);
  // The server draws the page with every panel; what this browser knows comes after that.
  useEffect(() => void useHidden.persist.rehydrate(), []);
  return useMemo(() => {
    const open = (panel: Panel) => useHidden.setState({ hidden: hidden.filter((other) => other !== panel) });
    const toggle = (panel: Panel) => (hidden.includes(panel) ? open(panel) : useHidden.setState({ hidden: [...hidden, panel] }));
    return { hidden: new Set(hidden), open, toggle };
  }, [hidden]);
}
