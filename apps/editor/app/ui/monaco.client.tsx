// Monaco, bundled and loaded only where it is shown; nothing comes from elsewhere.
import { textChange } from "@spindle/graph-model";
import * as monaco from "monaco-editor";
import EditorWorker from "monaco-editor/editor/editor.worker.js?worker";
import JsonWorker from "monaco-editor/language/json/json.worker.js?worker";
import { useEffect, useRef } from "react";
import { beginningAt, namesFor, unknownIn, type Variables } from "./variables";

self.MonacoEnvironment = { getWorker: (_, label) => (label === "json" ? new JsonWorker() : new EditorWorker()) };

export interface CodeProps {
  value: string;
  language: "json" | "markdown" | "plaintext";
  label: string;
  onChange?: (text: string) => void;
  /** The {{names}} that the text may use. */
  variables?: Variables | undefined;
}

/** What may follow `{{` in each text that is shown. */
const variablesOf = new WeakMap<monaco.editor.ITextModel, Variables>();
monaco.languages.registerCompletionItemProvider("markdown", {
  triggerCharacters: ["{"],
  provideCompletionItems(model, position) {
    const caret = model.getOffsetAt(position);
    const begun = beginningAt(model.getValue(), caret);
    const names = begun ? namesFor(begun.typed, variablesOf.get(model)?.names ?? []) : [];
    const isClosed = model.getValue().slice(caret).startsWith("}}");
    const range = begun && monaco.Range.fromPositions(model.getPositionAt(begun.from), position);
    return {
      suggestions: names.flatMap((name) =>
        range
          ? [{ label: name, kind: monaco.languages.CompletionItemKind.Variable, insertText: isClosed ? name : `${name}}}`, range }]
          : [],
      ),
    };
  },
});

/** Underlines the names that nothing gives. */
function markUnknown(model: monaco.editor.ITextModel): void {
  const variables = variablesOf.get(model);
  const markers = (variables ? unknownIn(model.getValue(), variables) : []).map(({ name, from, to }) => {
    const { startLineNumber, startColumn, endLineNumber, endColumn } = monaco.Range.fromPositions(
      model.getPositionAt(from),
      model.getPositionAt(to),
    );
    const message = `Nothing gives {{${name}}}.`;
    return { startLineNumber, startColumn, endLineNumber, endColumn, message, severity: monaco.MarkerSeverity.Warning };
  });
  monaco.editor.setModelMarkers(model, "variables", markers);
}

export default function Monaco({ value, language, label, onChange, variables }: CodeProps) {
  const host = useRef<HTMLDivElement>(null);
  const editor = useRef<monaco.editor.IStandaloneCodeEditor>(undefined);
  const change = useRef(onChange);
  change.current = onChange;
  const isFollowing = useRef(false);
  // biome-ignore lint/correctness/useExhaustiveDependencies: the editor is made once; its value follows below
  useEffect(() => {
    if (!host.current) return;
    const theme = document.documentElement.dataset.theme === "light" ? "vs" : "vs-dark";
    const made = monaco.editor.create(host.current, {
      value,
      language,
      theme,
      ariaLabel: label,
      readOnly: !onChange,
      automaticLayout: true,
      minimap: { enabled: false },
      scrollBeyondLastLine: false,
      fontFamily: "JetBrains Mono Variable, monospace",
      fontSize: 12,
      lineHeight: 20,
      wordWrap: "on",
      tabSize: 2,
      padding: { top: 6, bottom: 6 },
      lineNumbersMinChars: 3,
      fixedOverflowWidgets: true,
    });
    const fitText = () => host.current?.style.setProperty("--text-height", `${made.getContentHeight()}px`);
    made.onDidContentSizeChange(fitText);
    fitText();
    made.onDidChangeModelContent(() => {
      const model = made.getModel();
      if (model) markUnknown(model);
      if (!isFollowing.current) change.current?.(made.getValue());
    });
    editor.current = made;
    return () => made.dispose();
  }, []);
  useEffect(() => {
    const model = editor.current?.getModel();
    if (!model || !variables) return;
    variablesOf.set(model, variables);
    markUnknown(model);
  }, [variables]);
  // Only what differs is replaced, so that the caret keeps its place when another person's words come in.
  useEffect(() => {
    const model = editor.current?.getModel();
    const held = model?.getValue();
    if (!model || held === undefined || held === value) return;
    const { at, removed, added } = textChange(held, value);
    const range = monaco.Range.fromPositions(model.getPositionAt(at), model.getPositionAt(at + removed));
    isFollowing.current = true;
    model.pushEditOperations(null, [{ range, text: added }], () => null);
    isFollowing.current = false;
  }, [value]);
  return <div ref={host} className="monaco-host" />;
}
