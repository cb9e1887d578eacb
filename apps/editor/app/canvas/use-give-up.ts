// Esc gives up what the pointer holds: a link, or cards that are dragged.
import { type RefObject, useEffect, useRef } from "react";

export interface Grip {
  /** Something is held from now on. */
  hold(): void;
  /** It was let go. Returns whether it was given up. */
  release(): boolean;
  isGivenUp: RefObject<boolean>;
}

export function useGiveUp(): Grip {
  const isHeld = useRef(false);
  const isGivenUp = useRef(false);
  useEffect(() => {
    const press = (event: KeyboardEvent) => {
      if (event.key !== "Escape" || !isHeld.current) return;
      event.preventDefault();
      event.stopPropagation();
      isGivenUp.current = true;
      // React Flow knows no other end than the button's release. Whoever hears of it asks whether it was given up.
      document.dispatchEvent(new MouseEvent("mouseup", { bubbles: true, view: window }));
      isHeld.current = false;
      isGivenUp.current = false;
    };
    // Before the commands, which hear keys at the document.
    window.addEventListener("keydown", press, true);
    return () => window.removeEventListener("keydown", press, true);
  }, []);
  return {
    hold: () => {
      isHeld.current = true;
    },
    release: () => {
      isHeld.current = false;
      return isGivenUp.current === true;
    },
    isGivenUp,
  };
}

/** What is said on the canvas goes with Esc, which does what it does otherwise, too. */
export function useEscape(isShown: boolean, hide: () => void): void {
  const now = useRef(hide);
  now.current = hide;
  useEffect(() => {
    if (!isShown) return;
    const press = ({ key }: KeyboardEvent) => key === "Escape" && now.current();
    document.addEventListener("keydown", press, true);
    return () => document.removeEventListener("keydown", press, true);
  }, [isShown]);
}
