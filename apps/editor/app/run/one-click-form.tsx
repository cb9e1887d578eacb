// The form of a template, made from its interface (DESIGN G4): one field per public input.

import { useNavigate } from "@remix-run/react";
import { portKind, type RunInput } from "@spindle/graph-model";
import type { ArtifactRef } from "@spindle/schemas";
import { Play, Sparkles, Workflow } from "lucide-react";
import { useRef } from "react";
import { Controller, useForm } from "react-hook-form";
import { upload } from "../session/files";
import { useTRPCClient } from "../session/provider";
import { useIsRunOpen } from "../session/run-store";
import { keepRunValues } from "../session/run-values";
import type { TemplateView } from "../session/types";
import { FileBox } from "../ui/file-box";
import { PlaneMark } from "../ui/plane-mark";
import { toastError } from "../ui/toast";
import { Widget } from "../ui/widget";

type Values = Record<string, unknown>;

export function OneClickForm({ template, onStarted }: { template: TemplateView; onStarted(run: string): void }) {
  const api = useTRPCClient();
  const navigate = useNavigate();
  const isRunning = useIsRunOpen();
  const fields = useRef<HTMLFormElement>(null);
  const { control, handleSubmit, setValue, setError, getValues, clearErrors, formState } = useForm<Values>({ shouldFocusError: false });
  const draft = Object.values(template.engines).some((engine) => engine.draft);
  const planes = [...new Set(template.graph.nodes.map((node) => node.plane))];
  const { inputs, samples } = template;

  const sample = async (input: RunInput) => {
    const found = samples[input.name];
    if (!found) return;
    clearErrors(input.name);
    if ("text" in found) return setValue(input.name, found.text, { shouldDirty: true });
    try {
      const answer = await fetch(`/api/templates/${template.name}/files/${found.file}`);
      setValue(input.name, await upload(await answer.blob(), found.file, input.type), { shouldDirty: true });
    } catch (error) {
      toastError(error);
    }
  };
  /** What was filled in, as the run takes it. */
  const given = (values: Values): Values =>
    Object.fromEntries(
      inputs.flatMap((input) => {
        const value = values[input.name];
        return isEmpty(value) ? [] : [[input.name, input.type === "array" && typeof value === "string" ? linesOf(value) : value]];
      }),
    );
  const focus = (name: string | undefined) =>
    fields.current?.querySelector<HTMLElement>(`[data-input="${name}"] :is(input, textarea, select)`)?.focus();
  const start = handleSubmit(
    async (values) => {
      try {
        onStarted(await api.templates.start.mutate({ name: template.name, inputs: given(values) }));
      } catch (error) {
        const field = (error as { data?: { refused?: { field?: string } } }).data?.refused?.field;
        if (!field) return toastError(error);
        setError(field, { message: (error as Error).message.replace(`${field}: `, "") });
        focus(field);
      }
    },
    (wrong) => focus(inputs.find(({ name }) => name in wrong)?.name),
  );
  const open = async () => {
    try {
      const id = await api.templates.open.mutate({ name: template.name });
      keepRunValues(id, given(getValues()));
      navigate(`/g/${id}`);
    } catch (error) {
      toastError(error);
    }
  };
  return (
    <form ref={fields} className="template-form" onSubmit={start} noValidate>
      <div className="stack">
        <span className="row text-small text-faint">
          {planes.map((plane) => (
            <PlaneMark key={plane} plane={plane} small />
          ))}{" "}
          {template.graph.nodes.length} nodes on {planes.length} {planes.length === 1 ? "plane" : "planes"}
        </span>
        <h1>{template.title}</h1>
        <p className="text-muted">{template.description}</p>
      </div>
      {(template.notHere ?? template.waits) && (
        <p className="notice-box text-small" role="status">
          {template.notHere ?? template.waits}
        </p>
      )}
      {Object.keys(samples).length > 0 && (
        <button type="button" className="button" onClick={() => void Promise.all(inputs.map(sample))}>
          <Sparkles size={14} /> Use all samples
        </button>
      )}
      {inputs.map((input) => (
        <div className="template-field" key={input.name} data-input={input.name}>
          <div className="field-head">
            <label htmlFor={isTyped(input) ? `in-${input.name}` : undefined}>{input.label}</label>
            {samples[input.name] && (
              <button type="button" className="link" onClick={() => void sample(input)}>
                Use the sample
              </button>
            )}
          </div>
          <Controller
            name={input.name}
            control={control}
            rules={{ validate: (value) => whyNot(input, value) }}
            render={({ field, fieldState }) => (
              <>
                <Field
                  input={input}
                  value={field.value}
                  isWrong={fieldState.invalid}
                  onBlur={field.onBlur}
                  onChange={(value) => {
                    clearErrors(input.name);
                    field.onChange(value);
                  }}
                />
                {fieldState.error?.message && (
                  <p className="error-text" role="alert">
                    {fieldState.error.message}
                  </p>
                )}
              </>
            )}
          />
        </div>
      ))}
      <div className="row">
        <button
          type="submit"
          className="button run large grow"
          disabled={formState.isSubmitting || isRunning || template.notHere !== undefined}
        >
          <Play size={16} />{" "}
          {template.notHere
            ? "Cannot run here"
            : template.waits
              ? "Generate, and wait"
              : draft
                ? "Generate with draft engines"
                : "Generate"}
        </button>
        <button type="button" className="button large" onClick={() => void open()}>
          <Workflow size={16} /> Open the graph
        </button>
      </div>
      {draft && (
        <p className="text-faint text-small">
          Draft engines stand in for models that are not live here:{" "}
          {[
            ...new Set(
              Object.values(template.engines)
                .filter((engine) => engine.draft)
                .map((engine) => engine.label),
            ),
          ].join(", ")}
          .
        </p>
      )}
    </form>
  );
}

/** Whether letters are typed into it: a text, or a list with a line for each element. */
function isTyped({ type, schema }: RunInput): boolean {
  if (Array.isArray(schema.enum)) return false;
  return type === "string" || type === "array" || type === "any";
}

interface FieldProps {
  input: RunInput;
  value: unknown;
  isWrong: boolean;
  onBlur(): void;
  onChange(value: unknown): void;
}

function Field({ input, value, isWrong, onBlur, onChange }: FieldProps) {
  if (portKind(input.type) === "artifact")
    return <FileBox kind={input.type} label={input.label} value={value as ArtifactRef | undefined} onChange={onChange} />;
  if (!isTyped(input)) return <Widget label={input.label} schema={withDefault(input)} value={value} onChange={onChange} />;
  const lines = input.type === "array" && typeof value === "string" ? value.split("\n").length + 1 : 0;
  const isLong = input.schema["x-multiline"] || input.type === "array";
  return (
    <textarea
      id={`in-${input.name}`}
      className="field large"
      rows={isLong ? Math.min(12, Math.max(3, lines)) : 1}
      aria-invalid={isWrong}
      placeholder={input.type === "array" ? "One on each line." : input.description}
      value={typeof value === "string" ? value : ""}
      onBlur={onBlur}
      onChange={(event) => onChange(event.target.value)}
    />
  );
}

const withDefault = ({ schema, default: value }: RunInput) => (value === undefined ? schema : { ...schema, default: value });
const isEmpty = (value: unknown): boolean => value === undefined || (typeof value === "string" && !value.trim());
const linesOf = (text: string): string[] =>
  text
    .split("\n")
    .map((line) => line.trim())
    .filter(Boolean);

/** Returns true, or a sentence that says what is wrong; the server checks everything again. */
function whyNot(input: RunInput, value: unknown): true | string {
  if (isEmpty(value)) return input.required && input.default === undefined ? `${input.label} is needed.` : true;
  const most = input.schema.maxLength;
  if (typeof value === "string" && typeof most === "number" && value.length > most)
    return `At most ${most} characters; this has ${value.length}.`;
  return true;
}
