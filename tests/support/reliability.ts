// docs/reliability.md is written by the suites that it tells of (docs/testing.md). Each of its tables stands between two comments.
import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { ROOT } from "../../infra/launch/paths.ts";

const PAGE = join(ROOT, "docs/reliability.md");

/** What came of runs under one fault. */
export interface Outcome {
  runs: number;
  /** Runs that did not end as they would have. */
  lost: number;
  /** Results that were committed twice, under an old fence, or made by two processes at once. */
  doubled: number;
  /** Tasks that were begun again. */
  again: number;
}

/** The outcomes of a suite, by the row and the column of its table. */
export class Outcomes {
  private readonly cells = new Map<string, Map<string, Outcome>>();

  add(row: string, column: string, { lost, doubled, again }: Omit<Outcome, "runs">): void {
    const columns = this.cells.get(row) ?? new Map<string, Outcome>();
    const known = columns.get(column) ?? { runs: 0, lost: 0, doubled: 0, again: 0 };
    columns.set(column, { runs: known.runs + 1, lost: known.lost + lost, doubled: known.doubled + doubled, again: known.again + again });
    this.cells.set(row, columns);
  }

  /** "runs, lost, doubled, begun again" in each cell. */
  get table(): string {
    const columns = [...new Set([...this.cells.values()].flatMap((cells) => [...cells.keys()]))];
    const line = (cells: readonly string[]) => `| ${cells.join(" | ")} |`;
    const cell = (outcome: Outcome | undefined) => (outcome ? [outcome.runs, outcome.lost, outcome.doubled, outcome.again].join(", ") : "");
    return [
      line(["", ...columns]),
      line(["", ...columns].map(() => "---")),
      ...[...this.cells].map(([row, cells]) => line([row, ...columns.map((column) => cell(cells.get(column)))])),
    ].join("\n");
  }
}

/** Rows and columns of a table, without its numbers and without the width of its cells. */
const namesOf = (table: string): string[] => {
  const rows = table.split("\n").map((line) => line.split("|").map((cell) => cell.trim()));
  return [...(rows[0] ?? []), ...rows.slice(2).map(([, first = ""]) => first)].filter(Boolean);
};

/**
 * Writes a suite's table into the page with SPINDLE_WRITE_RELIABILITY=1, and answers whose rows and columns are on only one side: what
 * a suite tries is on the page, and nothing else.
 */
export async function differsOnPage(suite: string, { table }: Outcomes): Promise<string[]> {
  const page = await readFile(PAGE, "utf8");
  const [begin, end] = [`<!-- ${suite} -->\n`, `\n<!-- end of ${suite} -->`];
  const [before, rest = ""] = page.split(begin);
  const [known = "", after] = rest.split(end);
  if (process.env.SPINDLE_WRITE_RELIABILITY === "1") {
    await writeFile(PAGE, `${before}${begin}\n${table}\n${end}${after ?? ""}`);
    return [];
  }
  const [tried, written] = [namesOf(table), namesOf(known.trim())];
  return [...tried.filter((name) => !written.includes(name)), ...written.filter((name) => !tried.includes(name))];
}
