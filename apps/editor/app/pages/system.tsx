// What works, on what, what waits for it, and what everything lies in.
import { useQuery } from "@tanstack/react-query";
import { Pause, Play } from "lucide-react";
import { type ReactNode, useEffect, useState } from "react";
import { useTRPC } from "../session/provider";
import { usePageTitle } from "../ui/page-title";
import { TopNav } from "../ui/top";
import { ago } from "../ui/words";
import { DeviceCard } from "./system-device";
import { Engines, StoreCards, Workers } from "./system-parts";
import { EVERY_DEVICE, usePauses } from "./use-pauses";

const EVERY_MS = 2000;
/** An answer this old was followed by no other. */
const OLD_MS = 10_000;
/** Times that pass are shown. */
const TICK_MS = 1000;

export default function SystemPage() {
  const trpc = useTRPC();
  usePageTitle("System");
  const { data: system, dataUpdatedAt, error, isPending } = useQuery({ ...trpc.system.get.queryOptions(), refetchInterval: EVERY_MS });
  const { forget, pause, resume } = usePauses();
  const now = useNow();
  const isOld = system !== undefined && now - dataUpdatedAt > OLD_MS;
  return (
    <div className="page">
      <TopNav />
      <div className="page-scroll">
        <main className="page-body">
          <div className="page-head">
            <h1>System</h1>
            <span className="grow" />
            {system?.paused && <span className="text-muted text-small">Everything is paused{since(system.paused)}.</span>}
            {system &&
              (system.paused ? (
                <button type="button" className="button large run" onClick={() => resume(EVERY_DEVICE, "Everything")}>
                  <Play size={14} /> Resume everything
                </button>
              ) : (
                <button type="button" className="button large" onClick={() => pause(EVERY_DEVICE, "Everything")}>
                  <Pause size={14} /> Pause everything
                </button>
              ))}
          </div>
          {(error || isOld) && (
            <p className="text-bad" role="alert">
              {system ? "The server does not answer, so what is shown is old." : "The system cannot be shown."} {error?.message} It is asked
              again.
            </p>
          )}
          {isPending && (
            <>
              <div className="skeleton of-plan" />
              <div className="skeleton of-table" />
            </>
          )}
          {system && (
            <>
              <Section title="Devices" id="devices">
                {system.devices === null && <p className="text-muted">What waits is not known while PostgreSQL does not answer.</p>}
                {system.devices?.map((device) => (
                  <DeviceCard
                    key={device.id}
                    device={device}
                    server={system.servers.find((server) => server.device === device.id)}
                    slots={system.workers.flatMap(({ plane, state, slots }) =>
                      state === "live" ? slots.filter(({ kind }) => device.id === `${plane}/${kind}`) : [],
                    )}
                  />
                ))}
              </Section>
              <Section title="Workers" id="workers">
                <Workers {...system} onForget={forget} />
              </Section>
              <Section title="Stores" id="stores">
                <StoreCards stores={system.stores} />
              </Section>
              <Section title="Engines" id="engines">
                <Engines capabilities={system.capabilities} />
              </Section>
            </>
          )}
        </main>
      </div>
    </div>
  );
}

function useNow(): number {
  const [now, setNow] = useState(() => Date.now());
  useEffect(() => {
    const timer = setInterval(() => setNow(Date.now()), TICK_MS);
    return () => clearInterval(timer);
  }, []);
  return now;
}

function Section({ title, id, children }: { title: string; id: string; children: ReactNode }) {
  return (
    <section className="system-section" aria-labelledby={`system-${id}`}>
      <h2 id={`system-${id}`}>{title}</h2>
      {children}
    </section>
  );
}

const since = ({ since: at, by }: { since: string; by: string }): string =>
  ` since ${ago(at)}${by ? `, by ${by}` : ""}`.replace("since just now", "just now");
