// Which keys a person gave to commands, kept in this browser.
import { create } from "zustand";
import { persist } from "zustand/middleware";

interface KeyBindings {
  /** By the command's id; a command that is not there has its own keys. */
  keys: Readonly<Record<string, readonly string[]>>;
  /** Keys that are one letter, digit or sign act. */
  single: boolean;
}

export const useKeyBindings = create<KeyBindings>()(
  persist((): KeyBindings => ({ keys: {}, single: true }), { name: "spindle.keys", skipHydration: true }),
);

/** @param keys undefined gives the command its own keys back */
export function bindKeys(command: string, keys: readonly string[] | undefined): void {
  useKeyBindings.setState(({ keys: { [command]: _, ...others } }) => ({
    keys: keys === undefined ? others : { ...others, [command]: keys },
  }));
}
