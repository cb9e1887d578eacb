// What a run does, in sentences for those who hear the page: that it starts, waits for a person, fails, and ends.
import { type Graph, nodeTitle } from "@spindle/graph-model";
import { isEndedRunState } from "@spindle/schemas";
import { useEffect, useRef } from "react";
import { useRunStore } from "../session/run-store";
import type { RunView, ShownNodeRun } from "../session/types";
import { announce } from "../ui/said";
import { appearanceOf, between } from "../ui/words";

/** As much of a run as is told of. */
export interface Heard {
  run: Pick<RunView, "id" | "number" | "state" | "startedAt" | "finishedAt" | "error"> | undefined;
  nodes: Readonly<Record<string, Pick<ShownNodeRun, "node" | "title" | "state" | "held" | "error">>>;
}

export interface Announcement {
  text: string;
  isFailure: boolean;
}

const waits = ({ state, held }: Heard["nodes"][string]): boolean => state === "waiting" || held === "before" || held === "after";
const saying = (text: string, isFailure = false): Announcement => ({ text, isFailure });

/**
 * What is new. A run may be over before the page first hears of it.
 * @param openedAt when the page was opened, in ms since 1970: a run that was over by then is no news
 */
export function newsOf(before: Heard, { run, nodes }: Heard, titleOf: (node: string) => string, openedAt: number): Announcement[] {
  if (!run) return [];
  const isKnown = before.run?.id === run.id;
  const name = `Run ${run.number}`;
  if (!isKnown && isEndedRunState(run.state) && !(Date.parse(run.finishedAt ?? "") >= openedAt)) return [];
  const news = isKnown ? [] : [saying(`${name} started.`)];
  for (const node of Object.values(nodes)) {
    const old = isKnown ? before.nodes[node.node] : undefined;
    if (waits(node) && !(old && waits(old))) news.push(saying(`${name} waits for you at ${titleOf(node.node)}.`));
    const isBad = appearanceOf(node.state) === "failed";
    if (isBad && !(old && appearanceOf(old.state) === "failed"))
      news.push(saying(`${titleOf(node.node)} failed. ${String(node.error?.message ?? "")}`.trim(), true));
  }
  if (!isEndedRunState(run.state) || (isKnown && before.run?.state === run.state)) return news;
  if (run.state === "failed") return [...news, saying(`${name} failed. ${String(run.error?.message ?? "")}`.trim(), true)];
  const end = run.state === "cancelled" ? "was cancelled" : `succeeded after ${between(run.startedAt, run.finishedAt) || "no time"}`;
  return [...news, saying(`${name} ${end}.`)];
}

/** For the page of a graph. */
export function useRunNews(graph: Graph | undefined): void {
  const now = useRef(graph);
  now.current = graph;
  useEffect(() => {
    const openedAt = Date.now();
    const titleOf = (id: string) => nodeTitle(now.current?.nodes.find((node) => node.id === id) ?? { id });
    return useRunStore.subscribe((after, before) => {
      if (after.run === before.run && after.nodes === before.nodes) return;
      for (const { text, isFailure } of newsOf(before, after, titleOf, openedAt)) announce(text, isFailure ? "assertive" : "polite");
    });
  }, []);
}
