// Who works, what everything lies in, and which engines can run.
import { NavLink } from "@remix-run/react";
import type { System } from "../session/types";
import { PlaneMark } from "../ui/plane-mark";
import { ago, sizeWords } from "../ui/words";
import { Fact, TaskLine } from "./system-device";

const WORKERS = {
  live: { word: "Live", tone: "ok" },
  draining: { word: "Draining", tone: "warn" },
  silent: { word: "Silent", tone: "bad" },
} as const satisfies Record<System["workers"][number]["state"], object>;
const KINDS = { python: "Python worker", comfy: "Bridge to ComfyUI" } as Record<string, string>;

type WorkersProps = Pick<System, "workers" | "kept" | "runtimes" | "stores"> & { onForget(worker: string): void };

export function Workers({ workers, kept, runtimes, stores, onForget }: WorkersProps) {
  const gone = kept.filter(({ name }) => !workers.some((worker) => worker.name === name));
  const isHeard = stores.some(({ id, state }) => id === "redis" && state === "up");
  return (
    <ul className="card system-list system-card" aria-label="Workers">
      {runtimes === null && <li className="text-muted text-small">The runtimes are not known while PostgreSQL does not answer.</li>}
      {!isHeard && <li className="text-bad text-small">Redis does not answer, so workers are shown as they were heard of last.</li>}
      {runtimes?.map(({ id, own, release, live, runs, count }) => (
        <li key={id} className="system-row">
          <PlaneMark plane="node" small />
          <span className="system-name">
            Runtime {own && <span className="text-faint">that answers here</span>}
            <span className="text-faint monospace system-id">{id}</span>
          </span>
          <span className={`chip ${live ? "ok" : "bad"}`}>{live ? "Live" : "Silent"}</span>
          <span className="text-faint text-small">{release}</span>
          <span className="system-tasks text-small">
            {count === 0 && <span className="text-faint">drives no run</span>}
            {runs.map((run) => (
              <span key={run.id} className="system-name">
                <NavLink className="link" to={`/runs/${run.id}`}>
                  Run {run.number}
                </NavLink>{" "}
                {run.title}
              </span>
            ))}
            {count > runs.length && <span className="text-faint">and {count - runs.length} more</span>}
          </span>
        </li>
      ))}
      {workers.map(({ plane, name, state, heardAt, version, slots }) => {
        const tasks = slots.flatMap(({ id, task }) => (task ? [{ id, task }] : []));
        return (
          <li key={name} className="system-row" data-testid={`worker-${plane}`}>
            <PlaneMark plane={plane === "comfy" ? "comfy" : "python"} small off={state === "silent"} />
            <span className="system-name">
              {KINDS[plane] ?? plane} <span className="text-faint monospace system-id">{name}</span>
            </span>
            <span className={`chip ${WORKERS[state].tone}`}>{WORKERS[state].word}</span>
            <span className="text-faint text-small">{version ?? "earlier than 0.2.0"}</span>
            <span className="system-tasks text-small">
              {state === "silent" ? (
                <span className="text-muted">
                  Heard of last {ago(heardAt)}. Look at its log, and start it again; what it had is done elsewhere once its lease is over.{" "}
                  {kept.some((each) => each.name === name) && <Forget name={name} onForget={onForget} />}
                </span>
              ) : (
                <>
                  {tasks.length === 0 && !slots.some(({ ready }) => !ready) && <span className="text-faint">free</span>}
                  {tasks.map(({ id, task }) => (
                    <span key={id}>
                      <span className="text-faint">{id}:</span> <TaskLine task={task} />
                    </span>
                  ))}
                  {slots
                    .filter(({ ready }) => !ready)
                    .map(({ id }) => (
                      <span key={id} className="text-warn">
                        {id}: {plane === "comfy" ? "not live" : "another process of its machine has the device"}
                      </span>
                    ))}
                </>
              )}
            </span>
          </li>
        );
      })}
      {gone.map(({ plane, name, heardAt }) => (
        <li key={name} className="system-row" data-testid="worker-gone">
          <PlaneMark plane={plane === "comfy" ? "comfy" : "python"} small off />
          <span className="system-name">
            {KINDS[plane] ?? plane} <span className="text-faint monospace system-id">{name}</span>
          </span>
          <span className="chip">Gone</span>
          <span className="system-tasks text-small">
            <span className="text-muted">
              Heard of last {ago(heardAt)}. What it offered stays in the library, offline, so that graphs keep their nodes. Start it again,
              or forget it if it will not come back. <Forget name={name} onForget={onForget} />
            </span>
          </span>
        </li>
      ))}
      {isHeard && !workers.some(({ plane, state }) => plane === "python" && state !== "silent") && (
        <li className="text-muted text-small">No Python worker answers. Start one; what waits for it stays.</li>
      )}
    </ul>
  );
}

const Forget = ({ name, onForget }: { name: string; onForget(worker: string): void }) => (
  <button type="button" className="button" aria-label={`Forget ${name}`} onClick={() => onForget(name)}>
    Forget
  </button>
);

export function StoreCards({ stores }: Pick<System, "stores">) {
  return (
    <ul className="system-stores" aria-label="Stores">
      {stores.map(({ id, label, state, version, bytes, most, files, disk }) => (
        <li key={id} className="card system-card" data-testid={`store-${id}`}>
          <div className="system-row">
            <h3 className="system-name">{label}</h3>
            <span className={`chip ${state === "up" ? "ok" : "bad"}`}>{state === "up" ? "Up" : "Down"}</span>
          </div>
          {state !== "up" && <p className="text-bad text-small">{state.replace(/^down: /, "")}</p>}
          <dl className="system-facts">
            {version && <Fact name="Version">{version}</Fact>}
            {bytes !== null && (
              <Fact name="Size">
                {sizeWords(bytes)}
                {most !== null && ` of ${sizeWords(most)}`}
              </Fact>
            )}
            {files !== null && <Fact name="Artifacts">{files.toLocaleString("en")}</Fact>}
            {disk && <Fact name="Disk">{sizeWords(disk.free)} free</Fact>}
          </dl>
        </li>
      ))}
    </ul>
  );
}

export function Engines({ capabilities }: Pick<System, "capabilities">) {
  const all = capabilities.flatMap(({ engines }) => engines);
  const isPlain = ({ engines: [only, ...others] }: System["capabilities"][number]) => only?.live === true && others.length === 0;
  const plain = capabilities.filter(isPlain);
  return (
    <>
      <p className="text-muted text-small">
        {all.filter(({ live }) => live).length} of {all.length} can run now.
      </p>
      <ul className="card system-list system-card" aria-label="Engines">
        {capabilities
          .filter((each) => !isPlain(each))
          .map(({ plane, service, label, engines }) => (
            <li key={`${plane} ${service}`} className="system-engines">
              <span className="system-name medium">{label}</span>
              <ul className="stack narrow">
                {engines.map((engine) => (
                  <li key={engine.id} className="text-small">
                    <span className={`chip ${engine.live ? "ok" : ""}`}>{engine.live ? "Live" : "Not live"}</span> {engine.label}{" "}
                    {engine.draft && <span className="tag">Draft</span>}
                    {engine.reason && <span className="text-muted"> {engine.reason}</span>}
                  </li>
                ))}
              </ul>
            </li>
          ))}
        {plain.length > 0 && (
          <li className="text-muted text-small">One engine, which is live: {plain.map(({ label }) => label).join(", ")}.</li>
        )}
      </ul>
    </>
  );
}
