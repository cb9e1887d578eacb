// The Compose files, for every overlay, against what the code reads, what the images hold and what provisioning writes. No Docker.
import { execFileSync, spawn } from "node:child_process";
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { openRedis } from "@spindle/task-bus";
import { afterAll, describe, expect, test } from "vitest";
import { parse } from "yaml";
import { assertBindAllowed } from "../../apps/runtime/src/api/guard.ts";
import { readConfig } from "../../apps/runtime/src/config.ts";
import { readSettings } from "../../workers/comfy-bridge/src/settings.ts";
import { findProgram, ROOT } from "../launch/paths.ts";
import { freePort } from "../launch/ports.ts";
import { type ComposeService, interpolate, readYaml, render } from "./model.ts";

const read = (file: string): string => readFileSync(join(ROOT, file), "utf8");
const folder = mkdtempSync(join(tmpdir(), "spindle-provision-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

execFileSync(join(ROOT, "infra/provision/provision.sh"), {
  env: {
    NODE_ENV: "test",
    PATH: process.env.PATH,
    SPINDLE_ROOT: folder,
    AUTH_USER: "ada",
    AUTH_PASS: "correct horse battery",
    DOMAIN: "spindle.test",
    DB_NAME: "spindle",
    SPINDLE_ACCELERATOR: "cpu",
  },
});
const provisioned = Object.fromEntries(
  readFileSync(join(folder, ".env"), "utf8")
    .trim()
    .split("\n")
    .map((line) => [line.slice(0, line.indexOf("=")), line.slice(line.indexOf("=") + 1)]),
);

const gpu = { ...provisioned, SPINDLE_ACCELERATOR: "gpu" };
const DEV = "infra/compose/dev.yaml";
const stacks = {
  cpu: render(["compose.yaml"], provisioned),
  gpu: render(["compose.yaml"], gpu),
  "cpu, development": render(["compose.yaml", DEV], provisioned),
  "gpu, development": render(["compose.yaml", DEV], gpu),
};

/** Services that end, and so have no health check. */
const JOBS = ["volume-owners", "buckets", "codegen", "models", "packages"];
/** Exceptions to a rule, each with its reason. */
const EXCEPT: Record<"user" | "health" | "capabilities" | "read_only" | "network", Record<string, string>> = {
  user: {
    "volume-owners": "gives new volumes to their users, and ends",
    cadvisor: "reads every container's figures",
    "dcgm-exporter": "its image's own user; DCGM reads the devices",
    "open-webui": "its image supports no other user",
  },
  health: { "dcgm-exporter": "distroless: nothing in it can ask; Prometheus' `up` says it" },
  capabilities: { "dcgm-exporter": "NVIDIA's runtime decides what it needs" },
  read_only: {
    "open-webui": "writes beside its program",
    pgadmin: "writes its configuration beside its program",
    "redis-insight": "not known to run so",
    codegen: "writes into the checkout",
    sandbox: "a workplace",
  },
  network: { "volume-owners": "has none" },
};

describe.each(Object.entries(stacks))("%s", (mode, { services, networks, volumes }) => {
  const each = Object.entries(services);
  const development = mode.endsWith("development");
  const mounted = (service: ComposeService) => service.volumes?.includes(".:/workspace") ?? false;

  test("image, user, limits, capabilities, file system", () => {
    for (const [name, service] of each) {
      expect(service.image, `${name}: a pinned version`).toMatch(/:[^:]*\d+\.\d+[^:]*$|:RELEASE\.\d{4}-\d\d-\d\dT/);
      expect(service.deploy?.resources.limits, `${name}: limits`).toMatchObject({
        cpus: expect.stringMatching(/^\d/),
        memory: expect.stringMatching(/^\d+[MG]$/),
        pids: expect.any(Number),
      });
      expect(service.security_opt, name).toContain("no-new-privileges:true");
      if (!(name in EXCEPT.user)) expect(service.user, `${name}: a user that is not root`).toMatch(/^(?!0|root)[\w]+(:\d+)?$/);
      if (!(name in EXCEPT.capabilities)) expect(service.cap_drop, name).toEqual(["ALL"]);
      if (!(name in EXCEPT.read_only) && !mounted(service)) expect(service.read_only, `${name}: read-only`).toBe(true);
      if (service.cap_add) expect(name).toBe("volume-owners");
    }
  });

  test("health, and what it waits for", () => {
    for (const [name, service] of each) {
      if (JOBS.includes(name)) expect(service.restart ?? "no", name).not.toMatch(/always|unless-stopped/);
      else expect(service.restart, name).toBe("unless-stopped");
      if (!JOBS.includes(name) && !(name in EXCEPT.health))
        expect(service.healthcheck?.test[0], `${name}: a health check`).toMatch(/^CMD(-SHELL)?$/);
      for (const [other, { condition }] of Object.entries(service.depends_on ?? {})) {
        expect(services[other], other).toBeDefined();
        expect(condition, `${name} waits for ${other}`).toBe(JOBS.includes(other) ? "service_completed_successfully" : "service_healthy");
        expect(service.profiles ?? [], `${other} starts whenever ${name} does`).toEqual(
          expect.arrayContaining(services[other]?.profiles ?? []),
        );
      }
    }
  });

  test("volumes, networks and ports", () => {
    for (const [name, service] of each) {
      for (const network of service.networks ?? []) expect(networks, network).toHaveProperty(network);
      for (const volume of service.volumes ?? []) {
        const [source = "", target = ""] = volume.split(":");
        expect(target).toMatch(/^\//);
        if (source.startsWith("./.spindle/docker/"))
          expect(existsSync(join(folder, source)), `${source} is made by provisioning`).toBe(true);
        else if (source.startsWith("./.spindle/dev/")) expect(development).toBe(true);
        else if (source.startsWith(".")) expect(existsSync(join(ROOT, source)), source).toBe(true);
        else if (source.startsWith("/")) expect(name).toBe("cadvisor");
        else expect(volumes, source).toHaveProperty(source);
      }
      for (const port of service.ports ?? []) {
        if (!development) expect(name, "only Traefik publishes ports").toBe("traefik");
        expect(port).toMatch(/^127\.0\.0\.1:/);
      }
      const share = (other: string) =>
        !services[other]?.networks || services[other].networks.some((network) => service.networks?.includes(network));
      for (const value of Object.values(service.environment ?? {}))
        for (const [, host = ""] of String(value).matchAll(/(?:\/\/|@)([a-z-]+):\d+/g))
          if (services[host]) expect(share(host), `${name} reaches ${host}`).toBe(true);
    }
  });

  test("the environment of Spindle's own processes is one that they start with, and holds no name they do not read", () => {
    const runtime = services.runtime?.environment ?? {};
    const config = readConfig(runtime);
    expect(() => assertBindAllowed(config)).not.toThrow();
    expect(config.publicHosts).toEqual(["spindle.test", "ui.spindle.test", "api.spindle.test", "runtime"]);
    expect(config.s3?.bucket).toBe(services.buckets?.environment?.S3_BUCKET);
    expect(readSettings({ ...services["comfy-bridge"]?.environment, NODE_ENV: "test" }).servers).toEqual([
      { id: "comfyui-8188", url: "http://comfyui:8188" },
    ]);

    const python = readdirSync(join(ROOT, "workers/python-gpu/spindle_worker"), { recursive: true, encoding: "utf8" })
      .filter((file) => file.endsWith(".py"))
      .map((file) => read(`workers/python-gpu/spindle_worker/${file}`))
      .join("\n");
    const names = (text: string, pattern: RegExp) => [...text.matchAll(pattern)].map(([, name]) => name as string);
    const known: Record<string, string[]> = {
      runtime: names(read("apps/runtime/src/config.ts"), /^ {2}([A-Z][A-Z0-9_]+): (?:z\.|milliseconds)/gm),
      "comfy-bridge": names(
        read("workers/comfy-bridge/src/settings.ts") + read("packages/task-bus/src/log.ts"),
        /(?:need\("|env\.)([A-Z][A-Z0-9_]+)/g,
      ),
      worker: names(python, /environ(?:\.get\(|\[)"([A-Z][A-Z0-9_]+)"/g),
    };
    const OF_THE_LANGUAGE = ["NODE_ENV", "NODE_OPTIONS", "HOME", "PYTHONPATH", "PYTHONUNBUFFERED"];
    for (const [service, read] of Object.entries(known)) {
      expect(read.length, service).toBeGreaterThan(3);
      for (const name of Object.keys(services[service]?.environment ?? {})) expect([...read, ...OF_THE_LANGUAGE], service).toContain(name);
    }
    for (const name of names(python, /environ\["([A-Z][A-Z0-9_]+)"\](?! = )/g))
      expect(services.worker?.environment, name).toHaveProperty(name);
  });

  test("model files are fetched into the volumes where the worker and ComfyUI look for them", () => {
    const volumeAt = (name: string, folder: string) =>
      services[name]?.volumes?.find((volume) => folder.startsWith(volume.split(":")[1] as string))?.split(":")[0];
    const { SPINDLE_MODELS = "", SPINDLE_COMFY_MODELS = "" } = services.models?.environment ?? {};
    expect(volumeAt("models", SPINDLE_MODELS)).toBe(volumeAt("worker", services.worker?.environment?.SPINDLE_MODELS ?? ""));
    expect(volumeAt("models", SPINDLE_COMFY_MODELS)).toBe(volumeAt("comfyui", SPINDLE_COMFY_MODELS));
    expect(services.models?.networks, "a way to the internet").not.toContain("data");
  });

  test("every file that a command of ours names is there", () => {
    for (const name of ["runtime", "comfy-bridge", "worker", "codegen", "models", "packages"]) {
      const service = services[name];
      const command = service?.entrypoint ?? service?.command ?? imageCommand(service?.build);
      if (!service) continue;
      expect(command.length, name).toBeGreaterThan(1);
      for (const file of command.filter((one) => /\.(ts|mjs)$/.test(one))) expect(existsSync(join(ROOT, file)), file).toBe(true);
      const module = command.lastIndexOf("-m");
      if (module < 0) continue;
      const [program, subcommand] = command.slice(module + 1) as [string, string];
      expect(read(`workers/python-gpu/${program}/__main__.py`)).toContain(`add_parser("${subcommand}"`);
    }
  });
});

/** The CMD of a Dockerfile's target, that of the stage it is built from where it has none. */
function imageCommand(build: ComposeService["build"]): string[] {
  if (!build) return [];
  const stages = read(build.dockerfile)
    .split(/^FROM /m)
    .slice(1);
  let stage = stages.find((one) => one.split("\n")[0]?.endsWith(`AS ${build.target}`));
  while (stage && !/^CMD /m.test(stage)) {
    const base = stage.split(" ")[0];
    stage = stages.find((one) => one.split("\n")[0]?.endsWith(`AS ${base}`));
  }
  return JSON.parse(/^CMD (\[.*\])$/m.exec(stage ?? "")?.[1] ?? "[]") as string[];
}

test("the launcher and the images start the same programs", () => {
  const launcher = read("infra/launch/stack.ts");
  for (const target of ["runtime", "comfy-bridge"]) {
    const command = imageCommand({ context: ".", dockerfile: "infra/images/node.Dockerfile", target });
    for (const argument of command.slice(1)) expect(launcher, argument).toContain(`"${argument}"`);
  }
  expect(launcher).toContain(`["-m", "spindle_worker", "supervise"]`);
});

test("no limit asks for more processors than a small machine has: Docker would refuse the container", () => {
  const small = render(["compose.yaml", DEV], { ...provisioned, SPINDLE_CPUS: "1" });
  for (const [name, service] of Object.entries(small.services))
    expect(Number(service.deploy?.resources.limits?.cpus), name).toBeLessThanOrEqual(1);
});

test("[L4] the profiles are the ones that are documented, and the default ones need none", () => {
  const profiles = new Set(Object.values(stacks.gpu.services).flatMap((service) => service.profiles ?? []));
  expect([...profiles].sort()).toEqual(["admin", "chatbot", "models", "monorepo", "observability", "schemas"]);
  const core = Object.entries(stacks.cpu.services).flatMap(([name, one]) => (one.profiles ? [] : name));
  expect(core.sort()).toEqual(
    ["buckets", "comfy-bridge", "comfyui", "minio", "ollama", "postgres", "redis", "runtime", "traefik", "volume-owners", "worker"].sort(),
  );
});

test("a GPU is asked for where one is used, and only then", () => {
  const reservations = (stack: { services: Record<string, ComposeService> }) =>
    Object.entries(stack.services).flatMap(([name, one]) => (JSON.stringify(one.deploy).includes("nvidia") ? name : []));
  expect(reservations(stacks.cpu)).toEqual([]);
  expect(reservations(stacks.gpu).sort()).toEqual(["comfyui", "dcgm-exporter", "ollama", "worker"]);
  expect(stacks.gpu.services.worker?.build?.target).toBe("gpu");
  expect(stacks.gpu.services.worker?.image).not.toBe(stacks.cpu.services.worker?.image);
});

describe("Traefik", () => {
  interface Dynamic {
    http: {
      middlewares: Record<
        string,
        { chain?: { middlewares: string[] }; basicAuth?: Record<string, unknown>; headers?: { customRequestHeaders?: object } }
      >;
      routers: Record<string, { rule: string; entryPoints: string[]; middlewares: string[]; service: string }>;
      services: Record<string, { loadBalancer: { servers: { url: string }[] } }>;
    };
  }
  const text = read("infra/compose/traefik/dynamic.yaml").replaceAll(/\{\{ env "(\w+)" \}\}/g, (_, name: string) => {
    expect(stacks.cpu.services.traefik?.environment, name).toHaveProperty(name);
    return interpolate(`\${${name}}`, provisioned);
  });
  const { middlewares, routers, services } = (parse(text) as Dynamic).http;

  test("every address has its own router, behind TLS and a login", () => {
    const hosts = Object.values(routers).flatMap(({ rule }) => [...rule.matchAll(/Host\(`([^`]+)`\)/g)].map(([, host]) => host));
    expect(new Set(hosts).size).toBe(hosts.length);
    const seed = ["ui", "api", "proxy", "grafana", "prometheus", "redis", "s3", "pgadmin", "openwebui", "comfyui"];
    expect(hosts.sort()).toEqual(["spindle.test", ...seed.map((name) => `${name}.spindle.test`)].sort());
    for (const { entryPoints, middlewares: used } of Object.values(routers)) {
      expect(entryPoints).toEqual(["secure"]);
      expect(middlewares[used[0] as string]?.chain?.middlewares[0]).toBe("people");
    }
    expect(middlewares.people?.basicAuth).toMatchObject({ headerField: "X-Spindle-User", removeHeader: true });
  });

  test("the runtime alone gets the proxy's secret", () => {
    for (const [name, { middlewares: used, service }] of Object.entries(routers)) {
      const chain = middlewares[used[0] as string]?.chain?.middlewares ?? [];
      expect(chain.includes("proxy"), name).toBe(service === "runtime");
      expect(chain.includes("strip"), name).toBe(service !== "runtime");
    }
    expect(middlewares.proxy?.headers?.customRequestHeaders).toEqual({ "X-Spindle-Proxy": provisioned.SPINDLE_PROXY_SECRET });
  });

  test("every service it routes to is one of the stack's, on its network", () => {
    for (const [name, { loadBalancer }] of Object.entries(services)) {
      const { hostname } = new URL(loadBalancer.servers[0]?.url as string);
      expect(hostname).toBe(name);
      expect(stacks.cpu.services[name]?.networks, name).toContain("edge");
    }
    for (const { service } of Object.values(routers)) if (service !== "api@internal") expect(services, service).toHaveProperty(service);
  });

  test("its ports are the ones that are published, and its files the ones that are mounted", () => {
    const settings = readYaml("infra/compose/traefik/traefik.yaml") as { entryPoints: Record<string, { address: string }> };
    const published = stacks.cpu.services.traefik?.ports?.map((port) => `:${port.split(":").at(-1)}`);
    expect(published).toEqual([settings.entryPoints.plain?.address, settings.entryPoints.secure?.address]);
    for (const [, file = ""] of text.matchAll(/\/etc\/traefik\/edge\/([\w.]+)/g))
      expect(existsSync(join(folder, ".spindle/docker/edge", file)), file).toBe(true);
  });
});

test("Prometheus asks services of the stack that it can reach", () => {
  const { scrape_configs } = readYaml("infra/compose/prometheus/prometheus.yaml") as {
    scrape_configs: { static_configs?: { targets: string[] }[]; dns_sd_configs?: { names: string[]; port: number }[] }[];
  };
  const { services } = stacks.gpu;
  const targets = scrape_configs.flatMap(({ static_configs = [], dns_sd_configs = [] }) => [
    ...static_configs.flatMap(({ targets }) => targets),
    ...dns_sd_configs.flatMap(({ names, port }) => names.map((name) => `${name}:${port}`)),
  ]);
  expect(targets).toContain(`worker:${services.worker?.environment?.SPINDLE_WORKER_METRICS_PORT}`);
  expect(targets).toContain(`comfy-bridge:${services["comfy-bridge"]?.environment?.SPINDLE_BRIDGE_METRICS_PORT}`);
  expect(targets.length).toBeGreaterThan(6);
  for (const target of targets) {
    const host = target.split(":")[0] as string;
    if (host === "127.0.0.1") continue;
    expect(
      services[host]?.networks?.some((network) => services.prometheus?.networks?.includes(network)),
      target,
    ).toBe(true);
  }
});

test("Redis loads the users that its container's command makes, and takes each service's login", async () => {
  const redisServer = findProgram("redis-server", "valkey-server");
  if (!redisServer) return expect.fail("redis-server was not found. Install it (Debian: apt install redis-server).");
  const { redis, ...services } = stacks.cpu.services;
  const [port, home] = [await freePort(), mkdtempSync(join(tmpdir(), "spindle-redis-"))];
  const script = String(redis?.command?.[2])
    .replace("/setup/users.conf", join(ROOT, "packages/task-bus/redis/users.conf"))
    .replace("'bind 0.0.0.0' 'dir /data'", `'bind 127.0.0.1' 'dir ${home}' 'port ${port}'`)
    .replace("exec redis-server", `exec ${redisServer}`);
  const server = spawn("sh", ["-c", script], { env: { NODE_ENV: "test", PATH: process.env.PATH, ...redis?.environment }, stdio: "ignore" });
  const ended = new Promise((resolve) => server.once("close", resolve));
  try {
    const logins = ["runtime", "worker", "comfy-bridge"].map((name) => services[name]?.environment?.REDIS_URL as string);
    expect(new Set(logins.map((url) => new URL(url).username))).toEqual(new Set(["runtime", "worker", "bridge"]));
    const { REDIS_USER: user, REDIS_PASSWORD: password } = services["redis-exporter"]?.environment ?? {};
    for (const login of [
      ...logins,
      `redis://${user}:${password}@redis:6379`,
      `redis://operator:${provisioned.REDIS_PASSWORD}@redis:6379`,
    ]) {
      const url = new URL(login);
      url.host = `127.0.0.1:${port}`;
      const client = openRedis(url.href, { commandTimeout: 10_000 });
      expect(await client.ping(), url.username).toBe("PONG");
      client.disconnect();
    }
  } finally {
    server.kill();
    await ended;
    rmSync(home, { recursive: true, force: true });
  }
});

test("the dev container opens a service of the development overlay", () => {
  const { dockerComposeFile, service, runServices } = JSON.parse(read(".devcontainer/devcontainer.json"));
  expect(dockerComposeFile).toEqual(["../compose.yaml", "../infra/compose/dev.yaml"]);
  for (const name of [service, ...runServices]) expect(stacks["cpu, development"].services, name).toHaveProperty(name);
});

test("MinIO's rules: nothing that a row may name expires, and the runtime may do what it does", () => {
  const { Rules } = JSON.parse(read("infra/compose/minio/lifecycle.json")) as { Rules: { Filter: { Prefix: string } }[] };
  expect(Rules.map((rule) => rule.Filter.Prefix)).toEqual(["staged/"]);
  expect(read("apps/runtime/src/artifacts/artifacts.ts")).not.toMatch(/"staged"/);
  const policy = read("infra/compose/minio/policy.json");
  for (const action of ["ListBucket", "GetObject", "PutObject", "DeleteObject"]) expect(policy).toContain(`"s3:${action}"`);
});
