// The list of keys, each of which a person may change.
import { RotateCcw } from "lucide-react";
import { Switch } from "radix-ui";
import { useState } from "react";
import { bindKeys, useKeyBindings } from "../session/key-bindings";
import { CloseButton, Dialog } from "../ui/dialog";
import { keysOf, keyWords, whyReserved } from "../ui/keys";
import { GROUPS } from "./command";
import { type BoundCommand, holderOf } from "./use-commands";

export function Shortcuts({ commands, onClose }: { commands: readonly BoundCommand[]; onClose(): void }) {
  const { keys: own, single } = useKeyBindings();
  const [changing, setChanging] = useState<string>();
  const [problem, setProblem] = useState<{ id: string; text: string }>();
  const press = (command: BoundCommand) => (event: React.KeyboardEvent) => {
    if (event.key === "Tab") return setChanging(undefined);
    event.preventDefault();
    event.stopPropagation();
    const keys = keysOf(event.nativeEvent);
    if (!keys) return;
    const holder = holderOf(keys, commands, command.id);
    const why = whyReserved(keys) ?? (holder && `${keyWords(keys)} is "${holder.title}".`);
    setProblem(why ? { id: command.id, text: why } : undefined);
    if (why) return;
    bindKeys(command.id, [keys]);
    setChanging(undefined);
  };
  return (
    <Dialog title="Keyboard shortcuts" className="shortcuts" onClose={onClose}>
      <div className="row text-small">
        <span className="grow">Keys that are a single letter, digit or sign</span>
        <Switch.Root
          className="switch"
          checked={single}
          onCheckedChange={(on) => useKeyBindings.setState({ single: on })}
          aria-label="Single keys"
        >
          <Switch.Thumb />
        </Switch.Root>
      </div>
      <div className="shortcut-groups">
        {GROUPS.map((group) => (
          <section key={group}>
            <h4>{group}</h4>
            {commands
              .filter((command) => command.group === group)
              .map((command) => (
                <div className="shortcut" key={command.id}>
                  <span className="grow">
                    {command.title}
                    {problem?.id === command.id && (
                      <span className="error-text" role="alert">
                        {problem.text}
                      </span>
                    )}
                  </span>
                  {own[command.id] && (
                    <button
                      type="button"
                      className="button icon quiet"
                      aria-label={`Original keys of ${command.title}`}
                      onClick={() => bindKeys(command.id, undefined)}
                    >
                      <RotateCcw size={14} />
                    </button>
                  )}
                  <button
                    type="button"
                    className="shortcut-keys"
                    aria-label={`Keys of ${command.title}: ${command.keys.map((keys) => keyWords(keys)).join(", ") || "none"}`}
                    disabled={command.native}
                    onClick={() => {
                      setProblem(undefined);
                      setChanging(command.id);
                    }}
                    onBlur={() => setChanging(undefined)}
                    {...(changing === command.id ? { onKeyDown: press(command) } : {})}
                  >
                    {changing === command.id ? (
                      <span className="text-select">Press the keys</span>
                    ) : (
                      command.keys.map((keys) => <kbd key={keys}>{keyWords(keys)}</kbd>)
                    )}
                  </button>
                </div>
              ))}
          </section>
        ))}
      </div>
      <CloseButton>Close</CloseButton>
    </Dialog>
  );
}
