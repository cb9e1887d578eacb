// What a run waits for: forms to fill in, buttons to press, breakpoints to leave. Everybody in the graph may answer; the first counts.
import { type Graph, nodeTitle } from "@spindle/graph-model";
import { useMutation, useQuery } from "@tanstack/react-query";
import { Hand, Play } from "lucide-react";
import { useState } from "react";
import { useTRPC } from "../session/provider";
import { useOpenRun } from "../session/run-store";
import type { Question } from "../session/types";
import { Row } from "../ui/row";
import { Viewer } from "../ui/viewer";
import { Widget } from "../ui/widget";
import { when } from "../ui/words";
import { pathWords } from "./result";

export function Questions({ graph }: { graph: Graph }) {
  const run = useOpenRun();
  const trpc = useTRPC();
  const { data = [] } = useQuery({
    ...trpc.runs.questions.queryOptions({ id: run?.id ?? "" }),
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
      {first.held ? <Held run={run.id} question={first} /> : <Form key={first.path} run={run.id} question={first} />}
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
  return (
    <form onSubmit={(event) => event.preventDefault()} className="stack">
      {question.message && <p className="keep-lines">{question.message}</p>}
      {question.value !== null && <Viewer name="Value" value={question.value} />}
      {question.fields.map((port) => (
        <Row
          key={port.name}
          label={port.label}
          hint={port.description}
          required={port.required}
          problem={field === port.name ? answer.error?.message : undefined}
        >
          <Widget
            label={port.label}
            schema={port.schema}
            value={values[port.name]}
            onChange={(value) => setValues((now) => ({ ...now, [port.name]: value }))}
          />
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
