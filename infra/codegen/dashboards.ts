// Grafana's dashboards. A row says what a panel is called, the unit of its figures, and what it asks Prometheus.
import { join } from "node:path";

/** A query, and how its series are called; without a name they are called by their labels. */
type Query = readonly [expr: string, legend?: string];
type Unit = "short" | "s" | "bytes" | "percentunit" | "ops" | "Bps" | "celsius" | "watt" | "cpm";
type Row = readonly [title: string, unit: Unit, ...queries: Query[]];

const rate = (name: string, by: string, more = "") => `sum by (${by}) (rate(${name}${more}[$__rate_interval]))`;
const quantile = (share: number, name: string, by: string, range = "15m") =>
  `histogram_quantile(${share}, sum by (le, ${by}) (rate(${name}_bucket[${range}])))`;
const spread = (name: string, by: string): Query[] => [
  [quantile(0.5, name, by), `{{${by}}} median`],
  [quantile(0.95, name, by), `{{${by}}} 95 %`],
];

/** All runtimes say the same of the database, so that one of them stands for all: `max`, and no sum. */
const DASHBOARDS: Readonly<Record<string, { title: string; rows: readonly Row[] }>> = {
  runs: {
    title: "Spindle: runs",
    rows: [
      ["Runs that ended, a minute", "cpm", [`60 * ${rate("spindle_runs_ended_total", "outcome")}`, "{{outcome}}"]],
      ["Runs that have not ended", "short", ["max by (state) (spindle_runs)", "{{state}}"]],
      ["Runs accepted, a minute", "cpm", ["60 * sum(rate(spindle_runs_accepted_total[$__rate_interval]))", "accepted"]],
      ["Node runs that ended, by outcome", "ops", [rate("spindle_node_runs_ended_total", "outcome"), "{{outcome}}"]],
      ["Node runs that ended, by capability", "ops", [rate("spindle_node_runs_ended_total", "capability"), "{{capability}}"]],
      ["How long node runs take", "s", ...spread("spindle_node_run_seconds", "capability")],
      ["Node runs that have not ended", "short", ["max by (state) (spindle_node_runs)", "{{state}}"]],
      [
        "Share that the cache answered",
        "percentunit",
        [
          'sum(rate(spindle_node_runs_ended_total{outcome="reused"}[15m])) / sum(rate(spindle_node_runs_ended_total{outcome=~"reused|succeeded"}[15m]))',
          "reused",
        ],
      ],
      ["Longest wait, by what is waited for", "s", ["max by (kind) (spindle_not_running_seconds)", "{{kind}}"]],
      ["Further tries", "ops", [rate("spindle_node_retries_total", "plane, change"), "{{plane}} {{change}}"]],
      ["Events committed", "ops", [rate("spindle_run_events_total", "type"), "{{type}}"]],
      ["Refused as stale", "ops", ["sum(rate(spindle_stale_results_total[$__rate_interval]))", "stale"]],
    ],
  },
  planes: {
    title: "Spindle: planes and workers",
    rows: [
      [
        "Tasks that wait for a worker",
        "short",
        ["sum by (plane, capability) (max by (plane, capability, engine) (spindle_queue_tasks))", "{{plane}} {{capability}}"],
      ],
      ["The oldest of them", "s", ["max by (plane) (spindle_queue_oldest_seconds)", "{{plane}}"]],
      ["Wait until a worker begins", "s", ...spread("spindle_queue_wait_seconds", "capability")],
      ["Slots at work", "percentunit", ["avg by (instance) (spindle_worker_slot_busy)", "{{instance}}"]],
      ["Tasks of the Python workers", "ops", [rate("spindle_worker_tasks_total", "capability, outcome"), "{{capability}} {{outcome}}"]],
      ["How long they take there", "s", ...spread("spindle_worker_task_seconds", "capability")],
      [
        "Tasks taken from those who had them",
        "ops",
        [rate("spindle_worker_tasks_lost_total", "capability"), "{{capability}}"],
        [rate("spindle_bridge_tasks_lost_total", "server"), "{{server}}"],
      ],
      ["Calls to Redis that failed", "ops", [rate("spindle_worker_redis_errors_total", "instance, part"), "{{instance}} {{part}}"]],
      ["Leases lost", "ops", [rate("spindle_leases_lost_total", "plane"), "{{plane}}"]],
      ["Processes started to run nodes", "ops", [rate("spindle_worker_child_starts_total", "slot"), "{{slot}}"]],
      ["ComfyUI servers that answer", "short", ["spindle_bridge_server_up", "{{server}}"]],
      ["Nodes that they offer", "short", ["spindle_bridge_server_nodes", "{{server}}"]],
      ["Tasks of ComfyUI", "ops", [rate("spindle_bridge_tasks_total", "server, outcome"), "{{server}} {{outcome}}"]],
      ["How long they take there, from claim to result", "s", ...spread("spindle_bridge_task_seconds", "server")],
      ["Age of progress when it is read", "s", [quantile(0.95, "spindle_progress_delay_seconds", "job"), "95 %"]],
      [
        "Previews",
        "ops",
        ["sum(rate(spindle_previews_total[$__rate_interval]))", "shown"],
        ["sum(rate(spindle_previews_dropped_total[$__rate_interval]))", "dropped"],
        ["sum(rate(spindle_bridge_previews_total[$__rate_interval]))", "sent by the bridge"],
      ],
    ],
  },
  gpu: {
    title: "Spindle: GPUs",
    rows: [
      ["Use", "percentunit", ["spindle_worker_device_utilization_ratio", "{{device}}"]],
      [
        "Memory in use",
        "bytes",
        ["spindle_worker_device_memory_used_bytes", "{{device}}"],
        ["spindle_worker_device_memory_bytes", "{{device}} has"],
      ],
      ["Slots that have their device", "short", ["spindle_worker_slot_device", "{{slot}}"]],
      ["Slots at work", "short", ["spindle_worker_slot_busy", "{{slot}}"]],
      ["Engines loaded", "ops", [rate("spindle_worker_model_loads_total", "engine"), "{{engine}}"]],
      ["How long a load takes", "s", ...spread("spindle_worker_model_load_seconds", "engine")],
      ["Temperature", "celsius", ["DCGM_FI_DEV_GPU_TEMP", "{{gpu}}"]],
      ["Power", "watt", ["DCGM_FI_DEV_POWER_USAGE", "{{gpu}}"]],
    ],
  },
  stores: {
    title: "Spindle: stores",
    rows: [
      ["Parts that answer", "short", ["min by (part) (spindle_part_up)", "{{part}}"]],
      ["Connections to PostgreSQL", "short", ["sum by (pool, state) (spindle_database_connections)", "{{pool}} {{state}}"]],
      ["Statements that wait for one", "short", ["sum by (pool) (spindle_database_waiting)", "{{pool}}"]],
      ["PostgreSQL: transactions", "ops", ["sum by (datname) (rate(pg_stat_database_xact_commit[$__rate_interval]))", "{{datname}}"]],
      ["PostgreSQL: size", "bytes", ["pg_database_size_bytes", "{{datname}}"]],
      ["PostgreSQL: sessions", "short", ["sum by (state) (pg_stat_activity_count)", "{{state}}"]],
      ["Redis: memory", "bytes", ["redis_memory_used_bytes", "in use"], ["redis_memory_max_bytes", "at most"]],
      ["Redis: commands", "ops", ["rate(redis_commands_processed_total[$__rate_interval])", "commands"]],
      ["Redis: clients", "short", ["redis_connected_clients", "clients"]],
      ["Redis: keys evicted", "ops", ["rate(redis_evicted_keys_total[$__rate_interval])", "evicted"]],
      ["Artifacts", "bytes", ["max by (purpose) (spindle_artifacts_bytes)", "{{purpose}}"]],
      ["Artifacts, files", "short", ["max by (purpose) (spindle_artifacts)", "{{purpose}}"]],
      ["Artifact bytes added", "Bps", [rate("spindle_artifact_bytes_total", "purpose"), "{{purpose}}"]],
      ["MinIO: room left", "bytes", ["minio_cluster_capacity_usable_free_bytes", "free"]],
    ],
  },
  sockets: {
    title: "Spindle: sockets and the event loop",
    rows: [
      ["Open sockets", "short", ["sum by (kind) (spindle_sockets)", "{{kind}}"]],
      ["Sockets refused", "ops", [rate("spindle_sockets_refused_total", "status"), "{{status}}"]],
      ["Event loop lag, 99 %", "s", ["nodejs_eventloop_lag_p99_seconds", "{{job}} {{instance}}"]],
      ["Heap", "bytes", ["nodejs_heap_size_used_bytes", "{{job}} {{instance}}"]],
      [
        "Garbage collection",
        "percentunit",
        ["sum by (job, kind) (rate(nodejs_gc_duration_seconds_sum[$__rate_interval]))", "{{job}} {{kind}}"],
      ],
      ["Requests at the edge", "ops", [rate("traefik_service_requests_total", "service, code"), "{{service}} {{code}}"]],
      ["Time at the edge, 95 %", "s", [quantile(0.95, "traefik_service_request_duration_seconds", "service"), "{{service}}"]],
      ["Until certificates end", "s", ["traefik_tls_certs_not_after - time()", "{{cn}}"]],
    ],
  },
  hosts: {
    title: "Spindle: processes and hosts",
    rows: [
      ["Who answers Prometheus", "short", ["up", "{{job}} {{instance}}"]],
      [
        "Processor time",
        "percentunit",
        ["sum by (job, instance) (rate(process_cpu_seconds_total[$__rate_interval]))", "{{job}} {{instance}}"],
      ],
      ["Memory", "bytes", ["process_resident_memory_bytes", "{{job}} {{instance}}"]],
      ["Open files", "short", ["process_open_fds", "{{job}} {{instance}}"]],
      ["Room on the runtime's disk", "bytes", ["spindle_disk_free_bytes", "free"], ["spindle_disk_bytes", "size"]],
      ["Clocks of the stores beside the runtime's", "s", ["spindle_clock_skew_seconds", "{{part}}"]],
      [
        "Containers: processor time",
        "percentunit",
        ["sum by (name) (rate(container_cpu_usage_seconds_total{name!=''}[$__rate_interval]))", "{{name}}"],
      ],
      ["Containers: memory", "bytes", ["sum by (name) (container_memory_working_set_bytes{name!=''})", "{{name}}"]],
      ["Containers ended for their memory", "short", ["sum by (name) (increase(container_oom_events_total{name!=''}[1h]))", "{{name}}"]],
    ],
  },
};

const WIDTH = 12;
const HEIGHT = 8;
const DATASOURCE = { type: "prometheus", uid: "prometheus" };

const panel = ([title, unit, ...queries]: Row, at: number) => ({
  id: at + 1,
  type: "timeseries",
  title,
  datasource: DATASOURCE,
  gridPos: { x: (at % 2) * WIDTH, y: Math.floor(at / 2) * HEIGHT, w: WIDTH, h: HEIGHT },
  fieldConfig: { defaults: { unit, min: unit === "s" ? undefined : 0, custom: { showPoints: "never" } }, overrides: [] },
  options: { legend: { displayMode: "list", placement: "bottom" }, tooltip: { mode: "multi", sort: "desc" } },
  targets: queries.map(([expr, legend], index) => ({
    refId: String.fromCharCode(65 + index),
    datasource: DATASOURCE,
    expr,
    legendFormat: legend ?? "__auto",
  })),
});

/** @returns the dashboards' files, by path */
export function generateDashboards(root: string): ReadonlyMap<string, string> {
  return new Map(
    Object.entries(DASHBOARDS).map(([name, { title, rows }]) => {
      const dashboard = {
        uid: `spindle-${name}`,
        title,
        tags: ["spindle"],
        schemaVersion: 39,
        editable: false,
        refresh: "30s",
        time: { from: "now-3h", to: "now" },
        links: [{ type: "dashboards", title: "Spindle", tags: ["spindle"], asDropdown: true }],
        panels: rows.map(panel),
      };
      return [join(root, "infra/compose/grafana/dashboards", `${name}.json`), `${JSON.stringify(dashboard, null, 2)}\n`] as const;
    }),
  );
}
