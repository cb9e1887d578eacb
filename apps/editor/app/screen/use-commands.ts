// The commands as they stand now: bound to the page, with this person's keys.
import { useEffect, useRef } from "react";
import { useKeyBindings } from "../session/key-bindings";
import { asOwnStep } from "../session/use-document";
import { followKeys, keyHolder } from "../ui/focus";
import { isField, isPressOf, keyWords } from "../ui/keys";
import { toast } from "../ui/toast";
import { ARRANGE_COMMANDS } from "./arrange-commands";
import type { Command, MenuPlace, Scene } from "./command";
import { EDIT_COMMANDS } from "./edit-commands";
import { ENGINE_COMMANDS } from "./engine-commands";
import { RUN_COMMANDS } from "./run-commands";
import { SUBGRAPH_COMMANDS } from "./subgraph-commands";
import { VIEW_COMMANDS } from "./view-commands";

const TABLES = [
  ...RUN_COMMANDS,
  ...EDIT_COMMANDS,
  ...ARRANGE_COMMANDS,
  ...SUBGRAPH_COMMANDS,
  ...ENGINE_COMMANDS,
  ...VIEW_COMMANDS,
] as const;
export type CommandId = (typeof TABLES)[number]["id"];

export const COMMANDS: readonly (Command & { id: CommandId })[] = TABLES;

export interface BoundCommand extends Omit<Command, "id" | "run" | "whyNot" | "keys"> {
  id: CommandId;
  keys: readonly string[];
  /** Why it does not apply now, asked anew each time; undefined if it does. */
  readonly why: string | undefined;
  run(): void;
}

export interface Commands {
  list: readonly BoundCommand[];
  of(menu: MenuPlace): BoundCommand[];
  get(id: CommandId): BoundCommand;
}

/** @param scene undefined while the graph is loaded */
export function useCommands(scene: Scene | undefined): Commands {
  const { keys, single } = useKeyBindings();
  const list = COMMANDS.map((command): BoundCommand => {
    const { whyNot, run, ...rest } = command;
    return {
      ...rest,
      keys: keys[command.id] ?? command.keys ?? [],
      get why() {
        return scene ? whyNot?.(scene) : "The graph is loading.";
      },
      run: () => scene && asOwnStep(scene.shared, () => run(scene)),
    };
  });
  const now = useRef(list);
  now.current = list;
  const begun = useRef<string>();
  useEffect(() => void useKeyBindings.persist.rehydrate(), []);
  useEffect(() => {
    /** @param first the key that was pressed before, of a command that has two */
    const commandOf = (event: KeyboardEvent, focus: Focus, first?: string): BoundCommand | undefined => {
      const isMeant = (wanted: string) => {
        const [firstKey = "", secondKey] = wanted.split(" ");
        const key = first === undefined ? (secondKey === undefined ? firstKey : undefined) : firstKey === first ? secondKey : undefined;
        return key !== undefined && isPressOf(key, event) && (single || !isSingle(wanted));
      };
      const command = now.current.find((each) => !each.native && each.keys.some(isMeant));
      return command && actsAt(command.where, focus, command.keys.find(isMeant) ?? "") ? command : undefined;
    };
    const press = (event: KeyboardEvent) => {
      if (event.defaultPrevented || event.isComposing) return;
      if (["Shift", "Control", "Alt", "Meta"].includes(event.key)) return;
      const focus = focusOf(event.target);
      const first = begun.current;
      begun.current = undefined;
      const after = first === undefined ? undefined : commandOf(event, focus, first);
      const command = after ?? commandOf(event, focus);
      if (!command) {
        const next = beginnings(now.current).find((key) => isPressOf(key, event) && single && actsAt("canvas", focus, key));
        if (next === undefined) return;
        begun.current = next;
        event.preventDefault();
        event.stopPropagation();
        return toast("info", goesOn(now.current, next));
      }
      const { why } = command;
      // Other keys are the browser's where the command does not apply.
      if (why !== undefined && command.group !== "Run") return;
      event.preventDefault();
      event.stopPropagation();
      if (why === undefined) command.run();
      else toast("info", `${command.title}: ${why}`);
    };
    // React Flow has keys of its own on cards, so that the commands ask first.
    document.addEventListener("keydown", press, true);
    const stopFollowing = followKeys();
    return () => {
      document.removeEventListener("keydown", press, true);
      stopFollowing();
    };
  }, [single]);
  return {
    list,
    of: (menu) => list.filter((command) => command.menus?.includes(menu)),
    get: (id) => list.find((command) => command.id === id) as BoundCommand,
  };
}

/** The first keys of the commands that have two, one after the other. */
const beginnings = (list: readonly BoundCommand[]): string[] =>
  list.flatMap(({ keys }) => keys.flatMap((each) => (each.includes(" ") ? (each.split(" ")[0] ?? []) : [])));

/** What may follow the first of two keys. */
function goesOn(list: readonly BoundCommand[], first: string): string {
  const next = list.flatMap(({ keys, title }) =>
    keys.flatMap((each) => (each.startsWith(`${first} `) ? `${keyWords(each.slice(first.length + 1))}: ${title.toLowerCase()}` : [])),
  );
  return `${keyWords(first)}, then ${next.join("; ")}`;
}

/** Whether the keys are letters, digits or signs of their own, with Shift at most. */
export const isSingle = (keys: string): boolean => keys.split(" ").every((key) => /^(Shift\+)?.$/u.test(key));

/**
 * What has the focus, as far as keys are concerned: a dialog or menu, a field, a button or link on the canvas, the canvas, or another part.
 * `lost`: a field had it last and went, or was left; the person may still be typing.
 */
export type Focus = "layer" | "field" | "button" | "canvas" | "other" | "lost";

function focusOf(target: EventTarget | null): Focus {
  if (!(target instanceof Element) || target.closest("[role=dialog], [role=menu]")) return "layer";
  if (isField(target)) return "field";
  if (target === document.body) return keyHolder();
  if (!target.closest(".canvas-area")) return "other";
  return target.closest("button, a") ? "button" : "canvas";
}

/** Whether keys of a command act. A dialog or menu has all keys to itself, and Enter on a button presses the button. */
export function actsAt(where: Command["where"], focus: Focus, keys: string): boolean {
  if (focus === "layer") return false;
  if (where === "everywhere") return true;
  if (focus === "field") return false;
  if (where === "page") return focus !== "lost" || !isSingle(keys);
  return focus === "canvas" || (focus === "button" && !keys.endsWith("Enter"));
}

/** Another command that has these keys; undefined if none has. */
export const holderOf = (keys: string, list: readonly BoundCommand[], besides: string): BoundCommand | undefined =>
  list.find((command) => command.id !== besides && command.keys.some((other) => other.toLowerCase() === keys.toLowerCase()));
