// Which entries of the library a person used last, kept in this browser.
import { create } from "zustand";
import { persist } from "zustand/middleware";

const MOST_KEPT = 12;

interface RecentNodes {
  /** The last first. */
  recent: readonly string[];
}

export const useRecentNodes = create<RecentNodes>()(
  persist((): RecentNodes => ({ recent: [] }), { name: "spindle.recent-nodes", skipHydration: true }),
);

export function rememberNode(key: string): void {
  useRecentNodes.setState(({ recent }) => ({ recent: [key, ...recent.filter((other) => other !== key)].slice(0, MOST_KEPT) }));
}
