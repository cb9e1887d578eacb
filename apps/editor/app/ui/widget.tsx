// One value, edited by what its JSON Schema says: the `x-` hints first, then enum, then type.
import { mergedText, portKind, portType } from "@spindle/graph-model";
import { Dices, Maximize2 } from "lucide-react";
import { Dialog, Slider, Switch } from "radix-ui";
import { useState } from "react";
import { isArtifact } from "../session/files";
import { useCaret, useTyping } from "../session/typing";
import { Code } from "./code";
import { Unknown, useCompletion } from "./completion";
import { FileBox } from "./file-box";
import { useProblemMarks } from "./row";
import type { Variables } from "./variables";

export interface WidgetProps {
  label: string;
  schema: Record<string, unknown>;
  value: unknown;
  placeholder?: string;
  /** Without what takes room, or is better done where there is some. */
  compact?: boolean;
  /** The {{names}} that a text may use. */
  variables?: Variables | undefined;
  onChange(value: unknown, typed?: Typed): void;
}

/** How a text came about, so that what others typed meanwhile stays in it. */
export interface Typed {
  /** What the field held when the person began to type. */
  base: string;
  /** Whether the value is a text of many words rather than a name. */
  isText?: boolean;
}

/** Whether the value takes more than one line. */
export function isBlock(schema: Record<string, unknown>): boolean {
  if (Array.isArray(schema.enum)) return false;
  const type = portType(schema);
  return portKind(type) === "artifact" || (type === "string" && Boolean(schema["x-multiline"]));
}

export function Widget(props: WidgetProps) {
  const { schema, label, value, onChange } = props;
  const type = portType(schema);
  const marks = useProblemMarks();
  if (Array.isArray(schema.enum)) return <Choice {...props} options={schema.enum} />;
  const names = Array.isArray(schema.anyOf)
    ? (schema.anyOf as { enum?: unknown[] }[]).find((one) => Array.isArray(one.enum))?.enum
    : undefined;
  if (portKind(type) === "artifact" && names && names.length > 0 && !isArtifact(value))
    return (
      <div className="stack media-choice">
        <FileBox kind={type} label={label} value={undefined} onChange={onChange} />
        <Choice {...props} options={names} />
      </div>
    );
  if (portKind(type) === "artifact")
    return <FileBox kind={type} label={label} value={isArtifact(value) ? value : undefined} onChange={onChange} />;
  if (type === "boolean")
    return (
      <Switch.Root className="switch" checked={(value ?? schema.default) === true} onCheckedChange={onChange} aria-label={label} {...marks}>
        <Switch.Thumb />
      </Switch.Root>
    );
  if (type === "number" || type === "integer") return <NumberWidget {...props} whole={type === "integer"} />;
  if (type === "string") return schema["x-multiline"] ? <LongText {...props} /> : <Draft {...props} />;
  return <JsonWidget {...props} />;
}

/** What stands in a list under a text, which is all that the browser says: a number stays one. The empty text is no choice. */
export const optionNamed = (options: readonly unknown[], text: string): unknown =>
  text === "" ? undefined : options.find((option) => String(option) === text);

function Choice({ label, value, schema, onChange, options }: WidgetProps & { options: unknown[] }) {
  const marks = useProblemMarks();
  return (
    <select
      className="field"
      aria-label={label}
      {...marks}
      value={String(value ?? schema.default ?? "")}
      onChange={(event) => onChange(optionNamed(options, event.target.value))}
    >
      <option value="">{schema.default === undefined ? "Not set" : `Default (${String(schema.default)})`}</option>
      {options.map((option) => (
        <option key={String(option)} value={String(option)}>
          {String(option)}
        </option>
      ))}
    </select>
  );
}

const shown = (value: unknown): string => (typeof value === "string" ? value : value === undefined ? "" : JSON.stringify(value));

/** A text that others may type into at the same time. What was typed and taken back is no edit. */
function useText({ value, onChange }: WidgetProps, isText: boolean) {
  return useTyping(shown(value), (next, base) => {
    if (next === base) return shown(value);
    const both = isText ? mergedText(base, next, shown(value)) : next;
    onChange(both === "" ? undefined : next, { base, isText });
    return both;
  });
}

function Draft(props: WidgetProps) {
  const { label, schema, placeholder } = props;
  const { text, type, leave } = useText(props, false);
  const marks = useProblemMarks();
  return (
    <input
      className="field"
      aria-label={label}
      {...marks}
      ref={useCaret<HTMLInputElement>(text)}
      value={text}
      maxLength={schema.maxLength as number | undefined}
      placeholder={placeholder ?? shown(schema.default)}
      onChange={(event) => type(event.target.value)}
      onBlur={leave}
    />
  );
}

function LongText(props: WidgetProps) {
  const { label, schema, placeholder, compact, variables } = props;
  const { text, type, leave } = useText(props, true);
  const marks = useProblemMarks();
  const field = useCaret<HTMLTextAreaElement>(text);
  const completion = useCompletion(field, text, type, variables);
  return (
    <div className="stack narrow">
      <textarea
        className="field"
        aria-label={label}
        {...marks}
        {...completion.field}
        ref={field}
        rows={compact ? 2 : 4}
        value={text}
        placeholder={placeholder ?? shown(schema.default)}
        onChange={(event) => {
          type(event.target.value);
          completion.offer(event.target);
        }}
        onBlur={() => {
          completion.close();
          leave();
        }}
      />
      {completion.list}
      {variables && <Unknown text={text} variables={variables} />}
      {!compact && (
        <Expand label={label}>
          <Code tall language="markdown" label={label} value={text} onChange={type} variables={variables} />
        </Expand>
      )}
    </div>
  );
}

function Expand({ label, children }: { label: string; children: React.ReactNode }) {
  return (
    <Dialog.Root>
      <Dialog.Trigger asChild>
        <button type="button" className="button quiet">
          <Maximize2 size={12} /> Expand
        </button>
      </Dialog.Trigger>
      <Dialog.Portal>
        <Dialog.Overlay className="dialog-backdrop" />
        <Dialog.Content className="dialog" aria-describedby={undefined}>
          <Dialog.Title asChild>
            <h2>{label}</h2>
          </Dialog.Title>
          {children}
          <Dialog.Close asChild>
            <button type="button" className="button large">
              Done
            </button>
          </Dialog.Close>
        </Dialog.Content>
      </Dialog.Portal>
    </Dialog.Root>
  );
}

function NumberWidget({ label, schema, value, placeholder, compact, onChange, whole }: WidgetProps & { whole: boolean }) {
  const { minimum, maximum, "x-unit": unit } = schema as { minimum?: number; maximum?: number; "x-unit"?: string };
  const marks = useProblemMarks();
  // A number that is out of range, or off the step, is kept as it was typed: the row says what is wrong with it.
  const commit = (raw: string) => {
    const next = raw === "" || Number.isNaN(Number(raw)) ? undefined : Number(raw);
    onChange(next);
    return next === undefined ? "" : String(next);
  };
  const { text, type, leave } = useTyping(value === undefined ? "" : String(value), commit);
  const isSlider = !compact && schema["x-widget"] === "slider" && minimum !== undefined && maximum !== undefined;
  const current = Number(text === "" ? (schema.default ?? minimum ?? 0) : text);
  return (
    <div className="row">
      {isSlider && (
        <Slider.Root
          className="slider"
          value={[current]}
          min={minimum}
          max={maximum}
          step={whole ? 1 : 0.01}
          onValueChange={([next]) => type(String(next))}
        >
          <Slider.Track className="track">
            <Slider.Range className="range" />
          </Slider.Track>
          <Slider.Thumb className="thumb" aria-label={label} />
        </Slider.Root>
      )}
      <input
        className={`field digits${isSlider ? " beside-slider" : ""}`}
        type="number"
        aria-label={label}
        value={text}
        min={minimum}
        max={maximum}
        step={(schema["x-step"] as number | undefined) ?? (whole ? 1 : "any")}
        placeholder={placeholder ?? shown(schema.default)}
        {...marks}
        onChange={(event) => type(event.target.value)}
        onBlur={leave}
      />
      {unit && <span className="text-faint text-small">{unit}</span>}
      {schema["x-widget"] === "seed" && (
        <button
          type="button"
          className="button icon"
          aria-label={`New ${label}`}
          tabIndex={marks.tabIndex}
          onClick={() => onChange(Math.floor(Math.random() * 2 ** 31))}
        >
          <Dices size={14} />
        </button>
      )}
    </div>
  );
}

function JsonWidget({ label, value, schema, onChange }: WidgetProps) {
  const [text, setText] = useState(() => JSON.stringify(value ?? schema.default, null, 2) ?? "");
  const [error, setError] = useState<string>();
  const type = (next: string) => {
    setText(next);
    try {
      onChange(next.trim() ? JSON.parse(next) : undefined);
      setError(undefined);
    } catch (cause) {
      setError((cause as Error).message);
    }
  };
  return (
    <div className="stack narrow">
      <Code language="json" label={label} value={text} onChange={type} />
      {error && <p className="error-text">{error}</p>}
    </div>
  );
}
