// What a run waits for: forms to fill in, buttons to press, breakpoints to leave. Everybody in the graph may answer; the first counts.
import { type Graph, nodeTitle } from "@spindle/graph-model";
import type { ArtifactRef } from "@spindle/schemas";
import { useMutation, useQuery } from "@tanstack/react-query";
import { Hand, Play } from "lucide-react";
import { useId, useState } from "react";
import { isArtifact } from "../session/files";
import { useTRPC } from "../session/provider";
import { useOpenRun } from "../session/run-store";
import type { Question } from "../session/types";
import { Media, mediaKind } from "../ui/media";
import { Row } from "../ui/row";
import { Viewer } from "../ui/viewer";
import { Widget } from "../ui/widget";
import { when } from "../ui/words";
import { pathWords } from "./result";

export function Questions({ graph }: { graph: Graph }) {
  const run = useOpenRun(({ id }) => id);
  const trpc = useTRPC();
  const { data = [] } = useQuery({
    ...trpc.runs.questions.queryOptions({ id: run ?? "" }),
    enabled: run !== undefined,
    refetchInterval: run ? 2000 : false,
  });
  const [first] = data;
  if (!run || !first) return null;
  return (
    <section className="floating questions" aria-label="The run waits for you" data-testid="questions">
      <div className="row">
        <Hand size={16} className="text-warn" />
        <span className="strong ellipsis grow">
          {first.held ? "Waiting for you at" : "Waiting for you:"} {titleOf(graph, first)}
        </span>
        {data.length > 1 && <span className="text-faint text-small">1 of {data.length}</span>}
      </div>
      {first.held ? <Held run={run} question={first} /> : <Form key={first.path} run={run} question={first} />}
    </section>
  );
}

function titleOf(graph: Graph, question: Question): string {
  const node = graph.nodes.find((one) => one.id === question.node);
  const title = node ? nodeTitle(node) : question.node;
  return /[#[]/.test(question.path) ? `${title}, ${pathWords(question.path).toLowerCase()}` : title;
}

function Held({ run, question }: { run: string; question: Question }) {
  const trpc = useTRPC();
  const resume = useMutation(trpc.runs.resume.mutationOptions());
  return (
    <div className="row">
      <span className="text-muted text-small grow">
        {question.held === "before" ? "It has not run yet." : "It has run; what follows has not."}
        {resume.error && <span className="text-bad"> {resume.error.message}</span>}
      </span>
      <button
        type="button"
        className="button primary"
        disabled={resume.isPending}
        onClick={() => resume.mutate({ id: run, path: question.path })}
      >
        <Play size={14} /> Go on
      </button>
    </div>
  );
}

function Form({ run, question }: { run: string; question: Question }) {
  const trpc = useTRPC();
  const answer = useMutation(trpc.runs.answer.mutationOptions());
  const [values, setValues] = useState<Record<string, unknown>>({});
  const field = (answer.error?.data as { refused?: { field?: string } } | undefined)?.refused?.field;
  const press = (button?: string) => answer.mutate({ id: run, path: question.path, values, ...(button === undefined ? {} : { button }) });
  const buttons = question.buttons.length > 0 ? question.buttons : [undefined];
  const set = (name: string, value: unknown) => setValues((now) => ({ ...now, [name]: value }));
  /** What is shown and would fit a field of that type. */
  const offered = (type: string): ArtifactRef[] =>
    Array.isArray(question.value) ? question.value.filter(isArtifact).filter((one) => mediaKind(one) === type) : [];
  const isPickedFrom = question.fields.some(({ type }) => offered(type).length > 1);
  return (
    <form onSubmit={(event) => event.preventDefault()} className="stack">
      {question.message && <p className="keep-lines">{question.message}</p>}
      {question.value !== null && !isPickedFrom && <Viewer name="Value" value={question.value} />}
      {question.fields.map((port) => (
        <Row
          key={port.name}
          label={port.label}
          hint={port.description}
          required={port.required}
          problem={field === port.name ? answer.error?.message : undefined}
        >
          {offered(port.type).length > 1 ? (
            <Pick label={port.label} offered={offered(port.type)} value={values[port.name]} onPick={(value) => set(port.name, value)} />
          ) : (
            <Widget label={port.label} schema={port.schema} value={values[port.name]} onChange={(value) => set(port.name, value)} />
          )}
        </Row>
      ))}
      {answer.error && !question.fields.some((port) => port.name === field) && <p className="error-text">{answer.error.message}</p>}
      {question.dueAt && <p className="text-faint text-small">Goes on without you at {when(question.dueAt)}.</p>}
      <div className="row">
        <span className="grow" />
        {buttons.map((button, index) => (
          <button
            key={button ?? "send"}
            type="button"
            className={`button${index === 0 ? " primary" : ""}`}
            disabled={answer.isPending}
            onClick={() => press(button)}
          >
            {button ?? "Send"}
          </button>
        ))}
      </div>
    </form>
  );
}

/** One of several pictures, videos or sounds that are shown, chosen by looking at them. */
function Pick({
  label,
  offered,
  value,
  onPick,
}: {
  label: string;
  offered: readonly ArtifactRef[];
  value: unknown;
  onPick(value: ArtifactRef): void;
}) {
  const name = useId();
  return (
    <fieldset className="picks" aria-label={label}>
      {offered.map((media, index) => (
        // Equal bytes may be there twice, so the place is what tells them apart.
        <div key={`${index + 1} ${media.artifact}`} className="pick">
          <Media media={media} alt={`${label} ${index + 1}`} height={48} />
          <label>
            <input type="radio" name={name} checked={value === media} onChange={() => onPick(media)} /> {label} {index + 1}
          </label>
        </div>
      ))}
    </fieldset>
  );
}
