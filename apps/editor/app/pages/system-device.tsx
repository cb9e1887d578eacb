// A device: what it does, what waits for it in which order, and of a ComfyUI server how it is.
import { NavLink } from "@remix-run/react";
import type { Priority } from "@spindle/schemas";
import { Pause, Play } from "lucide-react";
import type { System } from "../session/types";
import { ago, between, range, sizeWords, span } from "../ui/words";
import { usePauses } from "./use-pauses";

type Device = NonNullable<System["devices"]>[number];
type Server = System["servers"][number];
type Slot = System["workers"][number]["slots"][number];

export function DeviceCard({ device, server, slots }: { device: Device; server: Server | undefined; slots: readonly Slot[] }) {
  const { pause, resume, isPending } = usePauses();
  const { id, label, paused, running, waiting, count } = device;
  return (
    <article className="card system-card" data-testid={`device-${id}`} aria-label={label}>
      <header className="system-row">
        <h3 className="system-name">{label}</h3>
        <DeviceState device={device} server={server} slots={slots} />
        <span className="grow" />
        {paused?.all ? (
          <span className="text-faint text-small">paused with everything</span>
        ) : paused ? (
          <button type="button" className="button" disabled={isPending} onClick={() => resume(id, label)} aria-label={`Resume ${label}`}>
            <Play size={14} /> Resume
          </button>
        ) : (
          <button type="button" className="button" disabled={isPending} onClick={() => pause(id, label)} aria-label={`Pause ${label}`}>
            <Pause size={14} /> Pause
          </button>
        )}
      </header>
      {paused && !paused.all && (
        <p className="text-muted text-small">
          Paused {ago(paused.since)}
          {paused.by && ` by ${paused.by}`}. What runs goes on; what waits begins once it is resumed.
        </p>
      )}
      {server && <ServerFacts server={server} />}
      {running.length > 0 && (
        <ul className="system-list" aria-label={`Runs on ${label}`}>
          {running.map((task) => (
            <li key={`${task.run.id} ${task.path}`} className="system-row">
              <span className="chip live">Runs</span>
              <TaskLine task={task} />
              <span className="text-muted text-small digits">
                {between(task.since, null)}
                {task.took && ` of about ${range(task.took.low, task.took.high)}`}
              </span>
            </li>
          ))}
        </ul>
      )}
      {waiting.length > 0 && (
        <ol className="system-list" aria-label={`Waits for ${label}`}>
          {waiting.map((task) => (
            <li key={`${task.run.id} ${task.path}`} className="system-row">
              <span className="chip digits">{task.position}</span>
              <TaskLine task={task} />
              <span className="text-muted text-small digits">
                {span(Math.max(0, Date.now() - Date.parse(task.since)))} so far
                {task.between && `, begins in about ${range(...task.between)}`}
              </span>
              <PriorityChoice task={task} />
            </li>
          ))}
          {count > waiting.length && <li className="text-faint text-small">and {count - waiting.length} more</li>}
        </ol>
      )}
      {running.length === 0 && count === 0 && <p className="text-faint text-small">Nothing runs or waits here.</p>}
      {device.shares.length > 0 && (
        <p className="text-faint text-small">
          {device.shares
            .map(({ submitter, running: runs, waiting: waits }) => `${submitter || "nobody named"}: ${runs} run, ${waits} wait`)
            .join("; ")}
          . People take turns.
        </p>
      )}
    </article>
  );
}

function DeviceState({
  device: { id, paused, running },
  server,
  slots,
}: {
  device: Device;
  server: Server | undefined;
  slots: readonly Slot[];
}) {
  if (paused) return <span className="chip warn">Paused</span>;
  if (id.startsWith("comfy/")) {
    if (!server) return <span className="chip bad">No bridge answers</span>;
    if (!server.live) return <span className="chip bad">Not live</span>;
    if (server.busy) return <span className="chip warn">{server.busy.hangs ? "Hangs" : "Busy"}</span>;
  } else if (slots.length === 0) return <span className="chip bad">No worker answers</span>;
  else if (slots.every(({ ready }) => !ready)) return <span className="chip warn">Used by another process</span>;
  return running.length > 0 ? <span className="chip live">Works</span> : <span className="chip ok">Free</span>;
}

function ServerFacts({ server }: { server: Server }) {
  const { address, version, classes, unreadable, models, queue, memory, busy, reason } = server;
  return (
    <>
      <dl className="system-facts">
        <Fact name="Address">{address}</Fact>
        {version && <Fact name="ComfyUI">{version}</Fact>}
        {queue !== null && <Fact name="Queue">{queue === 0 ? "empty" : `${queue} ${queue === 1 ? "prompt" : "prompts"}`}</Fact>}
        <Fact name="Nodes">
          {classes.toLocaleString("en")}
          {unreadable > 0 && `, ${unreadable} not readable`}
        </Fact>
        <Fact name="Model files">{models.toLocaleString("en")}</Fact>
        {memory.map(({ name, total, free }) => (
          <Fact key={name} name={name}>
            {sizeWords(total - free)} of {sizeWords(total)} used
          </Fact>
        ))}
      </dl>
      {reason && <p className="text-bad text-small">{reason}</p>}
      {busy && (
        <p className="text-warn text-small">
          {busy.reason} {busy.hangs && "Start that ComfyUI again."}
        </p>
      )}
    </>
  );
}

export function Fact({ name, children }: { name: string; children: React.ReactNode }) {
  return (
    <div>
      <dt>{name}</dt>
      <dd>{children}</dd>
    </div>
  );
}

export function TaskLine({ task }: { task: Device["running"][number] | Device["waiting"][number] }) {
  return (
    <span className="system-name">
      <NavLink className="link" to={`/runs/${task.run.id}`}>
        Run {task.run.number}
      </NavLink>{" "}
      {task.run.title} <span className="text-faint">· {task.label}</span>
      {task.run.submitter && <span className="text-faint"> · {task.run.submitter}</span>}
    </span>
  );
}

const PRIORITIES = { high: "First", normal: "In turn", low: "Last" } as const satisfies Record<Priority, string>;

/** Whose tasks go first is a matter of the whole run. */
function PriorityChoice({ task }: { task: Device["waiting"][number] }) {
  const { prioritise } = usePauses();
  return (
    <select
      className="field"
      aria-label={`When the tasks of run ${task.run.number} begin, ${task.label}`}
      value={task.run.priority}
      onChange={(event) => prioritise(task.run, event.target.value as Priority)}
    >
      {Object.entries(PRIORITIES).map(([priority, word]) => (
        <option key={priority} value={priority}>
          {word}
        </option>
      ))}
    </select>
  );
}
