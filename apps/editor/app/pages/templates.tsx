import { NavLink, useParams } from "@remix-run/react";
import { useQuery } from "@tanstack/react-query";
import { useEffect, useRef, useState } from "react";
import { LiveResult } from "../run/live-result";
import { OneClickForm } from "../run/one-click-form";
import { useTRPC } from "../session/provider";
import { useRunStore } from "../session/run-store";
import { useRun } from "../session/use-run";
import { usePageTitle } from "../ui/page-title";
import { TopNav } from "../ui/top";

export default function TemplatesPage() {
  const trpc = useTRPC();
  const params = useParams();
  const templates = useQuery({ ...trpc.templates.list.queryOptions(), refetchInterval: 5000 });
  const name = params.name ?? templates.data?.[0]?.name;
  const template = useQuery({
    ...trpc.templates.get.queryOptions({ name: name ?? "" }),
    enabled: name !== undefined,
    refetchInterval: 5000,
  });
  const [runId, setRunId] = useState<string>();
  useRun(runId);
  usePageTitle(template.data?.title ?? "Templates");
  useEffect(() => () => useRunStore.getState().watch(undefined), []);
  const chosen = useRef<HTMLAnchorElement>(null);
  const isListed = templates.data !== undefined;
  // Where the list is a row, the one that is shown may lie outside of it.
  // biome-ignore lint/correctness/useExhaustiveDependencies: the element is another one with another name
  useEffect(() => {
    chosen.current?.scrollIntoView({ block: "nearest", inline: "center" });
  }, [name, isListed]);
  return (
    <div className="page">
      <TopNav />
      <div className="template-page">
        <aside className="template-list" aria-label="Templates">
          <h2>Templates</h2>
          {templates.isPending && [1, 2, 3].map((place) => <div key={place} className="skeleton of-template-item" />)}
          {templates.error && (
            <p className="text-bad" role="alert">
              The templates cannot be listed: {templates.error.message}
            </p>
          )}
          {templates.data?.map((listed) => (
            <NavLink
              key={listed.name}
              ref={listed.name === name ? chosen : undefined}
              to={`/templates/${listed.name}`}
              className={`template-item${listed.name === name ? " on" : ""}${listed.notHere ? " off" : ""}`}
            >
              <span className="template-picture">
                {listed.picture ? (
                  <img src={`/api/templates/${listed.name}/files/${listed.picture}`} alt="" loading="lazy" />
                ) : (
                  <svg viewBox="0 0 240 120" aria-hidden="true">
                    <use href={`/api/templates/${listed.name}/picture.svg#graph`} />
                  </svg>
                )}
              </span>
              <span className="stack">
                <span className="strong">{listed.title}</span>
                <span className="text-faint text-tiny template-words">{listed.description}</span>
                <span className="row">
                  {listed.notHere ? (
                    <span className="chip warn">Cannot run here</span>
                  ) : listed.waits ? (
                    <span className="chip warn">Waits for an engine</span>
                  ) : (
                    <span className="chip ok">Runs here</span>
                  )}
                  {listed.draft && !listed.notHere && !listed.waits && <span className="tag">Draft</span>}
                </span>
              </span>
            </NavLink>
          ))}
        </aside>
        <section aria-label="Inputs">
          {template.error && (
            <p className="text-bad" role="alert">
              {template.error.message}
            </p>
          )}
          {template.error ? null : template.data ? (
            <OneClickForm key={template.data.name} template={template.data} onStarted={setRunId} />
          ) : (
            <div className="skeleton of-template-form" />
          )}
        </section>
        <section className="template-result" aria-label="Live result">
          {template.data && <LiveResult template={template.data} />}
        </section>
      </div>
    </div>
  );
}
