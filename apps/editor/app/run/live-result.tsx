// Beside the form: the result as it grows, then the result.
import { declaredInterface, nodeTitle, topology } from "@spindle/graph-model";
import type { ArtifactRef } from "@spindle/schemas";
import { Download, Square } from "lucide-react";
import { StateIcon } from "../canvas/card-footer";
import { firstToShow } from "../canvas/full-screen";
import { downloadUrl, isArtifact } from "../session/files";
import { useTRPCClient } from "../session/provider";
import { useOpenRun, useRunStore } from "../session/run-store";
import type { TemplateView } from "../session/types";
import { Media } from "../ui/media";
import { PlaneMark } from "../ui/plane-mark";
import { toastError } from "../ui/toast";
import { Viewer } from "../ui/viewer";
import { appearanceOf, duration, runTone, runWord, span, stateWord } from "../ui/words";
import { Questions } from "./questions";
import { useRunProgress } from "./run-bar";

export function LiveResult({ template }: { template: TemplateView }) {
  const api = useTRPCClient();
  const run = useRunStore((store) => store.run);
  const live = useRunStore((store) => store.live);
  const { share } = useRunProgress(template.graph);
  const outputs: Record<string, unknown> = run?.outputs ?? {};
  const declared = declaredInterface(template.graph).outputs;
  const first = declared.find(({ name }) => isArtifact(outputs[name]))?.name ?? "";
  const result = isArtifact(outputs[first]) ? outputs[first] : undefined;
  const others = declared.filter(({ name }) => name !== first && outputs[name] !== undefined && outputs[name] !== null);
  const open = useOpenRun((one) => one);
  const preview = Object.values(live)
    .map((one) => one.preview)
    .findLast((one) => one?.mime.startsWith("image/"));
  return (
    <>
      <div className="row result-head">
        <h2>Live result</h2>
        <span className="grow" />
        {run && (
          <span className={`chip ${runTone(run.state)}`} data-testid="run-chip">
            Run {run.number}, {open ? `${Math.round(share * 100)}%` : runWord(run.state).toLowerCase()}
          </span>
        )}
        {open && (
          <button
            type="button"
            className="button danger"
            disabled={open.cancelling}
            onClick={() => void api.runs.cancel.mutate({ id: open.id }).catch(toastError)}
          >
            <Square size={14} /> Cancel
          </button>
        )}
        {result && (
          <a className="button" href={downloadUrl(result)} download>
            <Download size={14} /> Download
          </a>
        )}
      </div>
      <Questions graph={template.graph} />
      <div className="stage" data-testid="stage">
        <Stage result={result} preview={open ? preview : undefined} started={run !== undefined} />
      </div>
      {open && (
        <div className="bar">
          <i style={{ "--share": `${Math.round(share * 100)}%` } as React.CSSProperties} />
        </div>
      )}
      {run?.error && (
        <p className="text-bad" role="alert">
          {String(run.error.message ?? "The run failed.")}
        </p>
      )}
      {others.map(({ name, label }) => (
        <Viewer key={name} name={label} value={outputs[name]} />
      ))}
      <div className="steps">
        {topology(template.graph).order.map((id) => (
          <Step key={id} id={id} template={template} />
        ))}
      </div>
    </>
  );
}

const RESULT_VIDEO = { preload: "auto", "data-testid": "result-video" } as const;

function Stage({ result, preview, started }: { result: ArtifactRef | undefined; preview: ArtifactRef | undefined; started: boolean }) {
  if (result) return <Media media={result} alt="Result" height={96} video={RESULT_VIDEO} />;
  if (preview)
    return (
      <>
        <Media media={preview} alt="Preview while it runs" />
        <span className="caption">Preview while it runs</span>
      </>
    );
  return <span className="text-small">{started ? "The first preview comes with the first frames." : "The result will be here."}</span>;
}

interface StepContentProps {
  media: ArtifactRef | undefined;
  text: string | undefined;
  engine: TemplateView["engines"][string] | undefined;
}

function StepContent({ media, text, engine }: StepContentProps) {
  if (media) return <Media media={media} alt="" height={28} still />;
  if (text) return text.slice(0, 140);
  return (
    <span className="text-faint">
      {engine?.label}
      {engine?.draft ? ", draft" : ""}
    </span>
  );
}

function Step({ id, template }: { id: string; template: TemplateView }) {
  const run = useRunStore((store) => store.nodes[id]);
  const live = useRunStore((store) => store.live[id]);
  const node = template.graph.nodes.find((one) => one.id === id);
  if (!node) return null;
  const output = run?.state === "succeeded" ? firstToShow(run.output ?? {}, undefined) : undefined;
  const media = isArtifact(output) ? output : live?.preview;
  const text = typeof output === "string" ? output : live?.text;
  return (
    <article className="card step" data-state={appearanceOf(run?.state)} data-testid={`step-${id}`}>
      <div className="row">
        <PlaneMark plane={node.plane} small />
        <span className="ellipsis strong grow">{nodeTitle(node)}</span>
        <StateIcon nodeRun={run} />
      </div>
      <div className="media">
        <StepContent media={media} text={text} engine={template.engines[id]} />
      </div>
      <div className="row text-tiny text-faint digits">
        <span className={run?.state === "running" ? "text-live strong" : ""}>
          {run &&
            (run.state === "running" && live?.progress !== undefined
              ? `${Math.round(live.progress * 100)}%`
              : stateWord(run.state, run.reused))}
        </span>
        <span className="grow" />
        <span>{run && (run.state === "running" && live?.remaining !== undefined ? `${span(live.remaining)} left` : duration(run))}</span>
      </div>
    </article>
  );
}
