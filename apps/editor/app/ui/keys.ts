// Keys as the table of commands writes them, in the notation of tinykeys: `$mod` is Ctrl, and Cmd on macOS.
import { matchKeyBindingPress, parseKeybinding } from "tinykeys";

export const isMac: boolean = typeof navigator !== "undefined" && /Mac|iPhone|iPad/.test(navigator.platform);

/** Keys that a browser keeps for itself, or that people would miss: no command may have them. */
const RESERVED = ["n", "t", "w", "q", "Shift+n", "Shift+t", "Shift+w", ...[1, 2, 3, 4, 5, 6, 7, 8, 9]].map((key) => `$mod+${key}`);
const RESERVED_ON_MACOS = [",", "h", "m", "y"].map((key) => `$mod+${key}`);

/** Why no command can have these keys; undefined if one can. */
export function whyReserved(keys: string): string | undefined {
  const same = (other: string) => other.toLowerCase() === keys.toLowerCase();
  if (RESERVED.some(same)) return "The browser keeps these keys for itself.";
  return RESERVED_ON_MACOS.some(same) ? "macOS keeps these keys for itself." : undefined;
}

type Press = Pick<KeyboardEvent, "key" | "code" | "getModifierState">;

/** Whether the event is a press of these keys. A sign that a layout has above another, such as `/` above 7, needs no Shift in `keys`. */
export function isPressOf(keys: string, event: Press): boolean {
  const [press] = parseKeybinding(keys);
  if (!press) return false;
  const [modifiers, key] = press;
  if (modifiers.includes("Alt") && event.getModifierState("AltGraph")) return false;
  if (matchKeyBindingPress(event as KeyboardEvent, press)) return true;
  const isSign = typeof key === "string" && key.length === 1 && !/[\p{L}\p{N}]/u.test(key);
  return isSign && !modifiers.includes("Shift") && matchKeyBindingPress(event as KeyboardEvent, [[...modifiers, "Shift"], key]);
}

/** The keys that an event presses; undefined while it is only a modifier. */
export function keysOf(event: Press): string | undefined {
  if (["Control", "Shift", "Alt", "Meta", "AltGraph"].includes(event.key)) return undefined;
  const held = (name: string) => event.getModifierState(name);
  const isSign = event.key.length === 1 && !/[\p{L}\p{N}]/u.test(event.key);
  const modifiers = [
    ...(held(isMac ? "Meta" : "Control") ? ["$mod"] : []),
    ...(isMac && held("Control") ? ["Control"] : []),
    ...(held("Shift") && !isSign ? ["Shift"] : []),
    ...(held("Alt") ? ["Alt"] : []),
  ];
  // With Alt the sign that comes out depends on the system: the key itself is meant.
  const key =
    held("Alt") && event.code ? event.code : event.key === " " ? "Space" : event.key.length === 1 ? event.key.toLowerCase() : event.key;
  return [...modifiers, key].join("+");
}

const WORDS: Readonly<Record<string, string>> = {
  Control: "Ctrl",
  ArrowUp: "Up",
  ArrowDown: "Down",
  ArrowLeft: "Left",
  ArrowRight: "Right",
  Escape: "Esc",
  "`": "Backtick",
};
const SIGNS: Readonly<Record<string, string>> = { $mod: "⌘", Shift: "⇧", Alt: "⌥", Control: "⌃", Enter: "↵", Backspace: "⌫", Delete: "⌦" };

/** Keys as a person reads them: "Ctrl Shift Enter", and "⌘⇧↵" on macOS; "A, L" for one after the other. */
export function keyWords(keys: string, onMac = isMac): string {
  if (keys.includes(" "))
    return keys
      .split(" ")
      .map((each) => keyWords(each, onMac))
      .join(", ");
  const parts = keys.split(/\b\+/).map((part) => {
    const plain = part.replace(/^Key(?=[A-Z]$)/, "").replace(/^Digit(?=\d$)/, "");
    if (onMac && SIGNS[plain]) return SIGNS[plain];
    if (plain === "$mod") return "Ctrl";
    return WORDS[plain] ?? (plain.length === 1 ? plain.toUpperCase() : plain);
  });
  return parts.join(onMac ? "" : " ");
}

/** Whether the element takes text, so that single keys are its own. */
export const isField = (target: EventTarget | null): boolean =>
  target instanceof Element && target.closest("input, textarea, select, [contenteditable], .monaco-editor") !== null;
