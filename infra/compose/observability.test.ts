// Dashboards and alerts against the code that makes their figures, and against the runbook. No Prometheus: tests/slow has a real one.
import { execFileSync } from "node:child_process";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { ROOT } from "../launch/paths.ts";
import { readYaml } from "./model.ts";

const read = (file: string): string => readFileSync(join(ROOT, file), "utf8");
const PROMETHEUS = "infra/compose/prometheus";
const FOLDER = "infra/compose/grafana/dashboards";

interface Rule {
  alert: string;
  expr: string;
  labels: { severity: string };
  annotations: { summary: string; runbook: string };
}
const { groups } = readYaml(`${PROMETHEUS}/alerts.yaml`) as { groups: { rules: Rule[] }[] };
const rules = groups.flatMap((group) => group.rules);

interface Dashboard {
  title: string;
  panels: { title: string; datasource: { uid: string }; targets: { expr: string }[] }[];
}
const dashboards = readdirSync(join(ROOT, FOLDER)).map((file) => JSON.parse(read(`${FOLDER}/${file}`)) as Dashboard);
const queries = dashboards.flatMap(({ panels }) => panels.flatMap(({ targets }) => targets.map(({ expr }) => expr)));

/** The names of figures that Spindle's processes make, as Prometheus has them. */
function made(): Set<string> {
  const tracked = execFileSync("git", ["ls-files", "apps/runtime/src", "workers"], { cwd: ROOT, encoding: "utf8" }).trim().split("\n");
  const names = new Set<string>();
  for (const file of tracked.filter((one) => /metrics\.(ts|py)$/.test(one)))
    for (const [, kind = "", name = ""] of read(file).matchAll(/(\w+)\(\s*(?:\{\s*name: )?"(spindle_\w+)"/g)) {
      names.add(kind === "Counter" && file.endsWith(".py") ? `${name}_total` : name);
      if (kind === "Histogram") for (const end of ["_bucket", "_sum", "_count"]) names.add(name + end);
    }
  return names;
}

describe("alerts", () => {
  test("each has an entry in the runbook, and every entry is of an alert", () => {
    const entries = [...read("docs/runbooks.md").matchAll(/^## (.+)$/gm)].map(([, name]) => name);
    expect(entries).toEqual(rules.map(({ alert }) => alert));
    for (const { alert, annotations, labels } of rules) {
      expect(annotations.runbook, alert).toBe(`docs/runbooks.md#${alert.toLowerCase()}`);
      expect(["critical", "warning"], alert).toContain(labels.severity);
    }
  });

  test("each is tested once where it fires, and once where it stays quiet", () => {
    const { tests } = readYaml(`${PROMETHEUS}/alerts.test.yaml`) as {
      tests: { name: string; alert_rule_test: { exp_alerts: object[] }[] }[];
    };
    expect(tests.map(({ name }) => name).sort()).toEqual(rules.flatMap(({ alert }) => [`${alert} fires`, `${alert} quiet`]).sort());
    for (const { name, alert_rule_test } of tests) expect(alert_rule_test[0]?.exp_alerts.length, name).toBe(name.endsWith("fires") ? 1 : 0);
  });
});

test("every figure of ours that a dashboard or an alert asks for is made somewhere", () => {
  const known = made();
  expect(known.size).toBeGreaterThan(40);
  const asked = new Set([...queries, ...rules.map(({ expr }) => expr)].flatMap((expr) => expr.match(/spindle_\w+/g) ?? []));
  expect([...asked].filter((name) => !known.has(name))).toEqual([]);
});

test("every figure of ours is on a dashboard or in an alert", () => {
  const asked = [...queries, ...rules.map(({ expr }) => expr)].join("\n");
  const whole = [...made()].filter((name) => !/_(bucket|sum|count)$/.test(name));
  expect(whole.filter((name) => !asked.includes(name))).toEqual([]);
});

test("the dashboards lie where Grafana looks, and ask the data source that it is given", () => {
  const mounted = (read("infra/compose/observability.yaml").match(/- \.\/(infra\/\S+?):(\/\S+?):ro/g) ?? []).map((line) =>
    line.slice(4).split(":"),
  );
  const target = (folder: string) => mounted.find(([source]) => source === folder)?.[1];
  const { providers } = readYaml("infra/compose/grafana/providers/spindle.yaml") as { providers: { options: { path: string } }[] };
  expect(providers.map(({ options }) => options.path)).toEqual([target(FOLDER)]);
  expect(target("infra/compose/grafana/providers")).toBe("/etc/grafana/provisioning/dashboards");
  for (const [source = ""] of mounted) expect(existsSync(join(ROOT, source)), source).toBe(true);
  const { datasources } = readYaml("infra/compose/grafana/datasources/prometheus.yaml") as { datasources: { uid: string }[] };
  const uids = new Set(dashboards.flatMap(({ panels }) => panels.map(({ datasource }) => datasource.uid)));
  expect([...uids]).toEqual(datasources.map(({ uid }) => uid));
  expect(dashboards.map(({ title }) => title).length).toBe(6);
});
