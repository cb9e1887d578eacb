import type { Issue } from "@spindle/graph-model";
import type { ErrorCode } from "@spindle/schemas";

/** How many issues one answer names: a hostile graph has thousands, and nobody mends more than these at a time. */
const MAX_ISSUES = 100;

/** A request that is refused: what the person gets to read, as JSON with that status. Never a 500. */
export class Refused extends Error {
  constructor(
    readonly status: 400 | 401 | 403 | 404 | 405 | 409 | 413 | 415 | 422 | 429,
    readonly code: ErrorCode,
    message: string,
    readonly details: Readonly<Record<string, unknown>> = {},
  ) {
    super(message);
  }

  /** What cannot be stored, imported or run, with its first issues, errors before all others, and how many were left out. */
  static issues(message: string, issues: readonly Issue[]): Refused {
    const errors = issues.filter(({ severity }) => severity === "error");
    const named = [...errors, ...issues.filter(({ severity }) => severity !== "error")].slice(0, MAX_ISSUES);
    const leftOut = issues.length - named.length;
    const first = errors[0] ? `${message} ${errors[0].message}` : message;
    return new Refused(422, "request.invalid", errors.length > 1 ? `${first} (and ${errors.length - 1} more)` : first, {
      issues: named,
      ...(leftOut > 0 ? { issuesLeftOut: leftOut } : {}),
    });
  }

  toJSON(): Record<string, unknown> {
    return { error: { code: this.code, message: this.message, ...this.details } };
  }
}
