// The commands as they stand now: bound to the page, with this person's keys.
import { useEffect, useRef } from "react";
import { useKeyBindings } from "../session/key-bindings";
import { asOwnStep } from "../session/use-document";
import { followKeys, keyHolder } from "../ui/focus";
import { isField, isPressOf } from "../ui/keys";
import { toast } from "../ui/toast";
import type { Command, MenuPlace, Scene } from "./command";
import { EDIT_COMMANDS } from "./edit-commands";
import { RUN_COMMANDS } from "./run-commands";
import { VIEW_COMMANDS } from "./view-commands";

const TABLES = [...RUN_COMMANDS, ...EDIT_COMMANDS, ...VIEW_COMMANDS] as const;
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
  useEffect(() => void useKeyBindings.persist.rehydrate(), []);
  useEffect(() => {
    const press = (event: KeyboardEvent) => {
      if (event.defaultPrevented || event.isComposing) return;
      const isMeant = (wanted: string) => isPressOf(wanted, event) && (single || !isSingle(wanted));
      const command = now.current.find((each) => !each.native && each.keys.some(isMeant));
      if (!command || !actsAt(command.where, focusOf(event.target), command.keys.find(isMeant) ?? "")) return;
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

/** Whether the keys are a letter, digit or sign of their own, with Shift at most. */
export const isSingle = (keys: string): boolean => /^(Shift\+)?.$/u.test(keys);

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
