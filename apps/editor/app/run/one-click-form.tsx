// The form of a template, made from its interface (DESIGN G4): one field per public input.

import { useNavigate } from "@remix-run/react";
import { portKind, type RunInput } from "@spindle/graph-model";
import type { ArtifactRef } from "@spindle/schemas";
import { Play, Workflow } from "lucide-react";
import { Controller, useForm } from "react-hook-form";
import { upload } from "../session/files";
import { useTRPCClient } from "../session/provider";
import { useOpenRun } from "../session/run-store";
import type { TemplateView } from "../session/types";
import { FileBox } from "../ui/file-box";
import { PlaneMark } from "../ui/plane-mark";
import { toastError } from "../ui/toast";

type Values = Record<string, string | ArtifactRef | undefined>;

export function OneClickForm({ template, onStarted }: { template: TemplateView; onStarted(run: string): void }) {
  const api = useTRPCClient();
  const navigate = useNavigate();
  const isRunning = useOpenRun() !== undefined;
  const { control, handleSubmit, setValue, setError, clearErrors, formState } = useForm<Values>();
  const draft = Object.values(template.engines).some((engine) => engine.draft);
  const planes = [...new Set(template.graph.nodes.map((node) => node.plane))];

  const sample = async (input: RunInput) => {
    const found = template.samples[input.name];
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
  const start = handleSubmit(async (values) => {
    try {
      onStarted(
        await api.templates.start.mutate({
          name: template.name,
          inputs: Object.fromEntries(Object.entries(values).filter(([, value]) => value !== undefined && value !== "")),
        }),
      );
    } catch (error) {
      const field = (error as { data?: { refused?: { field?: string } } }).data?.refused?.field;
      if (field) setError(field, { message: (error as Error).message.replace(`${field}: `, "") });
      else toastError(error);
    }
  });
  return (
    <form className="template-form" onSubmit={start} noValidate>
      <div className="stack">
        <span className="row text-small text-faint">
          {planes.map((plane) => (
            <PlaneMark key={plane} plane={plane} small />
          ))}{" "}
          {template.graph.nodes.length} nodes on {planes.length} planes
        </span>
        <h1>{template.title}</h1>
        <p className="text-muted">{template.description}</p>
      </div>
      {template.inputs.map((input) => (
        <div className="template-field" key={input.name}>
          <div className="field-head">
            <label htmlFor={`in-${input.name}`}>{input.label}</label>
            {template.samples[input.name] && (
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
                {portKind(input.type) === "artifact" ? (
                  <FileBox
                    kind={input.type}
                    label={input.label}
                    value={field.value as ArtifactRef | undefined}
                    onChange={(value) => {
                      clearErrors(input.name);
                      field.onChange(value);
                    }}
                  />
                ) : (
                  <textarea
                    id={`in-${input.name}`}
                    className="field large"
                    rows={input.schema["x-multiline"] ? 3 : 1}
                    aria-invalid={fieldState.invalid}
                    placeholder={input.description}
                    {...field}
                    value={(field.value as string | undefined) ?? ""}
                  />
                )}
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
          disabled={formState.isSubmitting || isRunning || template.notLive !== undefined}
        >
          <Play size={16} /> {template.notLive ? "No live engine" : draft ? "Generate with draft engines" : "Generate"}
        </button>
        <button
          type="button"
          className="button large"
          onClick={() => void api.templates.open.mutate({ name: template.name }).then((id) => navigate(`/g/${id}`), toastError)}
        >
          <Workflow size={16} /> Open the graph
        </button>
      </div>
      {template.notLive && (
        <p className="text-warn text-small" role="status">
          {template.notLive}
        </p>
      )}
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

/** Returns true, or a sentence that says what is wrong; the server checks everything again. */
function whyNot(input: RunInput, value: unknown): true | string {
  const empty = value === undefined || (typeof value === "string" && !value.trim());
  if (empty) return input.required && input.default === undefined ? `${input.label} is needed.` : true;
  const most = input.schema.maxLength;
  if (typeof value === "string" && typeof most === "number" && value.length > most)
    return `At most ${most} characters; this has ${value.length}.`;
  return true;
}
