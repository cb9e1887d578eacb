import { type Library, resolve } from "@spindle/graph-model";
import { useQueryClient } from "@tanstack/react-query";
import { Check, ChevronDown, CloudOff, Download, FileCode, FileJson, LoaderCircle, Play, Upload, Waypoints, Zap } from "lucide-react";
import { useRef } from "react";
import { downloadFrom } from "../session/files";
import { useTRPC, useTRPCClient } from "../session/provider";
import { useIsTyping } from "../session/typing";
import type { DocumentState } from "../session/use-document";
import { keyWords } from "../ui/keys";
import { Menu } from "../ui/menu";
import { NameField } from "../ui/name-field";
import { Tip } from "../ui/tip";
import { toastError } from "../ui/toast";
import { Logo, ThemeButton } from "../ui/top";
import { menuItems } from "./command-menus";
import type { BoundCommand, Commands } from "./use-commands";
import type { LiveMode } from "./use-live-mode";

interface Props {
  id: string;
  name: string;
  shared: DocumentState | undefined;
  library: Library;
  commands: Commands;
  live: LiveMode;
  /** What a run would wait for. */
  waits: string | undefined;
  onOpenFile(file: File): void;
}

export function EditorTop({ id, name, shared, library, commands, live, waits, onOpenFile }: Props) {
  const api = useTRPCClient();
  const trpc = useTRPC();
  const client = useQueryClient();
  const file = useRef<HTMLInputElement>(null);
  const rename = (next: string) => {
    void api.graphs.rename
      .mutate({ id, name: next })
      .then(() => client.invalidateQueries({ queryKey: trpc.graphs.get.queryKey({ id }) }), toastError);
  };
  const drafts = shared && resolve(shared.graph, library).root.nodes.some(({ engine }) => engine?.draft);
  const exportTo = (to: string) => void downloadFrom(`/api/graphs/${id}/export?to=${to}`).catch(toastError);
  const run = commands.get("run");
  const runWords = waits ? "Run, and wait" : drafts ? "Run with draft engines" : "Run";
  return (
    <header className="top">
      <a href="/" aria-label="Graphs">
        <Logo />
      </a>
      <NameField label="Graph name" name={name} onRename={rename} />
      <Menu
        trigger={
          <button type="button" className="button icon quiet" aria-label="Graph menu">
            <ChevronDown size={16} />
          </button>
        }
        items={[
          { label: "Export as JSON", icon: <FileJson size={16} />, onSelect: () => exportTo("json") },
          { label: "Export as LangGraph program", icon: <FileCode size={16} />, onSelect: () => exportTo("langgraph") },
          { label: "Export as Mermaid", icon: <Waypoints size={16} />, onSelect: () => exportTo("mermaid") },
          { label: "Open a file", icon: <Upload size={16} />, onSelect: () => file.current?.click() },
          "line",
          { label: "All graphs", icon: <Download size={16} className="quarter-turn" />, onSelect: () => location.assign("/") },
        ]}
      />
      <input
        ref={file}
        className="visually-hidden"
        type="file"
        aria-label="Open a graph file"
        tabIndex={-1}
        onChange={(event) => event.target.files?.[0] && onOpenFile(event.target.files[0])}
      />
      <Saved shared={shared} />
      <span className="grow" />
      <IconButton command={commands.get("undo")} />
      <IconButton command={commands.get("redo")} />
      <ThemeButton />
      <span className="separator" />
      {live.isOn && <LiveNote live={live} keys={run.keys[0]} />}
      <Tip text={live.isOn ? "Edits run by themselves. Press to stop that." : "Run what I edit by itself, as far as it is cheap"}>
        <button
          type="button"
          className={`button icon live-switch${live.isOn ? " on" : ""}`}
          aria-label="Run as I edit"
          aria-pressed={live.isOn}
          onClick={live.toggle}
        >
          <Zap size={16} />
        </button>
      </Tip>
      <button
        type="button"
        className="button run"
        disabled={run.why !== undefined}
        onClick={run.run}
        title={run.why ?? waits ?? tipOf(run)}
      >
        <Play size={14} /> {runWords}
      </button>
      <Menu
        trigger={
          <button type="button" className="button icon" aria-label="More ways to run">
            <ChevronDown size={14} />
          </button>
        }
        items={menuItems(commands.of("run").filter((command) => command !== run))}
      />
    </header>
  );
}

function Saved({ shared }: { shared: DocumentState | undefined }) {
  const isTyping = useIsTyping();
  if (!shared) return null;
  const show = (icon: React.ReactNode, words: string) => (
    <span className={`row text-small saved ${shared.online ? "text-faint" : "text-warn"}`} title={words}>
      {icon} <span>{words}</span>
    </span>
  );
  if (!shared.online) return show(<CloudOff size={14} />, shared.isKept === false ? "Offline, not kept" : "Offline");
  if (!shared.loaded) return show(<LoaderCircle size={14} className="spinning" />, "Opening");
  if (shared.saved && !isTyping) return show(<Check size={14} />, "All changes saved");
  return show(<LoaderCircle size={14} className="spinning" />, "Saving");
}

function LiveNote({ live: { waiting, why }, keys }: { live: LiveMode; keys: string | undefined }) {
  const count = waiting.length;
  const waits = `${count} ${count === 1 ? "node waits" : "nodes wait"} for ${keys ? keyWords(keys) : "Run"}`;
  const words = why ?? (count > 0 ? waits : "Live");
  return (
    <span
      className={`text-small ellipsis live-note ${why !== undefined || count > 0 ? "text-warn" : "text-faint"}`}
      title={words}
      role="status"
    >
      {words}
    </span>
  );
}

const tipOf = ({ title, keys, why }: BoundCommand): string => why ?? (keys[0] ? `${title} (${keyWords(keys[0])})` : title);

function IconButton({ command }: { command: BoundCommand }) {
  const { icon: Icon, title, why, run } = command;
  return (
    <Tip text={tipOf(command)}>
      <button type="button" className="button icon quiet" aria-label={title} disabled={why !== undefined} onClick={run}>
        {Icon && <Icon size={16} />}
      </button>
    </Tip>
  );
}
