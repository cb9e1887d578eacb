import { type Library, resolve } from "@spindle/graph-model";
import type { RunOptions } from "@spindle/schemas";
import { useQueryClient } from "@tanstack/react-query";
import {
  Check,
  ChevronDown,
  ChevronsDown,
  ChevronsUp,
  CloudOff,
  Download,
  Eraser,
  FileCode,
  FileJson,
  ListChecks,
  LoaderCircle,
  Play,
  Redo2,
  RotateCcw,
  Undo2,
  Upload,
  Waypoints,
} from "lucide-react";
import { useEffect, useRef } from "react";
import { useTRPC, useTRPCClient } from "../session/provider";
import { useOpenRun } from "../session/run-store";
import { useIsTyping } from "../session/typing";
import type { DocumentState } from "../session/use-document";
import { Menu } from "../ui/menu";
import { NameField } from "../ui/name-field";
import { Tip } from "../ui/tip";
import { toast, toastError } from "../ui/toast";
import { Logo, ThemeButton } from "../ui/top";

interface Props {
  id: string;
  name: string;
  shared: DocumentState | undefined;
  library: Library;
  canRun: boolean;
  /** Why the whole graph cannot run now; undefined if it can. */
  notLive: string | undefined;
  onRun(options?: RunOptions): void;
  onOpenFile(file: File): void;
  onPlan(): void;
}

export function EditorTop({ id, name, shared, library, canRun, notLive, onRun, onOpenFile, onPlan }: Props) {
  const api = useTRPCClient();
  const trpc = useTRPC();
  const client = useQueryClient();
  const file = useRef<HTMLInputElement>(null);
  const isRunning = useOpenRun() !== undefined;
  useUndoKeys(shared);
  const rename = (next: string) => {
    void api.graphs.rename
      .mutate({ id, name: next })
      .then(() => client.invalidateQueries({ queryKey: trpc.graphs.get.queryKey({ id }) }), toastError);
  };
  const drafts = shared && resolve(shared.graph, library).root.nodes.some(({ engine }) => engine?.draft);
  const forget = () =>
    void api.runs.clearCache
      .mutate({ graphId: id })
      .then((count) => toast("info", `${count} results are forgotten; the next run makes them again.`), toastError);
  const exportTo = (to: string) => location.assign(`/api/graphs/${id}/export?to=${to}`);
  const runWords = drafts ? "Run with draft engines" : "Run";
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
      <Tip text="Undo (Ctrl Z)">
        <button
          type="button"
          className="button icon quiet"
          aria-label="Undo"
          disabled={!shared?.canUndo}
          onClick={() => shared?.undo.undo()}
        >
          <Undo2 size={16} />
        </button>
      </Tip>
      <Tip text="Redo (Ctrl Shift Z)">
        <button
          type="button"
          className="button icon quiet"
          aria-label="Redo"
          disabled={!shared?.canRedo}
          onClick={() => shared?.undo.redo()}
        >
          <Redo2 size={16} />
        </button>
      </Tip>
      <ThemeButton />
      <span className="separator" />
      <button
        type="button"
        className="button run"
        disabled={!canRun || notLive !== undefined || isRunning}
        onClick={() => onRun()}
        title={canRun ? notLive : "The graph has problems: see the list below."}
      >
        <Play size={14} /> {notLive ? "No live engine" : runWords}
      </button>
      <Menu
        trigger={
          <button type="button" className="button icon" aria-label="More ways to run">
            <ChevronDown size={14} />
          </button>
        }
        items={[
          {
            label: "Run everything again",
            icon: <RotateCcw size={16} />,
            disabled: !canRun || notLive !== undefined || isRunning,
            onSelect: () => onRun({ force: true }),
          },
          {
            label: "Run with high priority",
            icon: <ChevronsUp size={16} />,
            disabled: !canRun || notLive !== undefined || isRunning,
            onSelect: () => onRun({ priority: "high" }),
          },
          {
            label: "Run with low priority",
            icon: <ChevronsDown size={16} />,
            disabled: !canRun || notLive !== undefined || isRunning,
            onSelect: () => onRun({ priority: "low" }),
          },
          { label: "What would run", icon: <ListChecks size={16} />, disabled: !canRun, onSelect: onPlan },
          "line",
          { label: "Forget earlier results", icon: <Eraser size={16} />, onSelect: forget },
        ]}
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
  if (!shared.online) return show(<CloudOff size={14} />, "Offline");
  if (shared.saved && !isTyping) return show(<Check size={14} />, "All changes saved");
  return show(<LoaderCircle size={14} className="spinning" />, "Saving");
}

function useUndoKeys(shared: DocumentState | undefined): void {
  const undo = shared?.undo;
  useEffect(() => {
    const press = (event: KeyboardEvent) => {
      if (!(event.ctrlKey || event.metaKey) || (event.target as HTMLElement).closest("input, textarea, .monaco-editor")) return;
      const key = event.key.toLowerCase();
      if (key !== "z" && key !== "y") return;
      event.preventDefault();
      if (key === "y" || event.shiftKey) undo?.redo();
      else undo?.undo();
    };
    document.addEventListener("keydown", press);
    return () => document.removeEventListener("keydown", press);
  }, [undo]);
}
