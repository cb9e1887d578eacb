import { NavLink, useParams } from "@remix-run/react";
import { useQuery } from "@tanstack/react-query";
import { useEffect, useState } from "react";
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
  const templates = useQuery(trpc.templates.list.queryOptions());
  const name = params.name ?? templates.data?.[0]?.name;
  const template = useQuery({
    ...trpc.templates.get.queryOptions({ name: name ?? "" }),
    enabled: name !== undefined,
    refetchInterval: 5000,
  });
  const [runId, setRunId] = useState<string>();
  useRun(runId);
  usePageTitle(template.data?.title ?? "Templates");
  useEffect(() => () => useRunStore.getState().clear(), []);
  return (
    <div className="page">
      <TopNav />
      <div className="template-page">
        <aside className="template-list" aria-label="Templates">
          <h2>Templates</h2>
          {templates.isPending && <div className="skeleton of-template-item" />}
          {templates.data?.map((listed) => (
            <NavLink key={listed.name} to={`/templates/${listed.name}`} className={`template-item${listed.name === name ? " on" : ""}`}>
              {listed.picture && <img src={`/api/templates/${listed.name}/files/${listed.picture}`} alt="" />}
              <span className="stack">
                <span className="strong ellipsis">{listed.title}</span>
                <span className="text-faint text-tiny">{listed.description}</span>
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
          {template.data ? (
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
