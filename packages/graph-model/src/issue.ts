import type { ErrorCode } from "@spindle/schemas";

/** Where an issue is: any of node, edge, port, or a JSON pointer into the document. */
export interface IssuePlace {
  node?: string;
  edge?: string;
  port?: string;
  pointer?: string;
  /** The subgraph in which the place lies; absent for the graph itself. */
  definition?: string;
}

/** One thing wrong with a graph (DESIGN section 1). `info` issues are facts a person should know, not faults. */
export interface Issue {
  code: ErrorCode;
  severity: "error" | "warning" | "info";
  message: string;
  /** The message without its place, where it is shown at that place. */
  reason?: string;
  place: IssuePlace;
  /** What the person can do about the issue, if anything. */
  fix?: string;
}

export const issue = (severity: Issue["severity"], code: ErrorCode, message: string, place: IssuePlace = {}, fix?: string): Issue => ({
  severity,
  code,
  message,
  place,
  ...(fix ? { fix } : {}),
});

export const hasErrors = (issues: readonly Issue[]): boolean => issues.some((one) => one.severity === "error");
