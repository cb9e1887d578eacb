// provision.sh in a clean folder: what it makes, that a second run changes nothing, and that no secret is ever printed. Needs openssl.
import { spawnSync } from "node:child_process";
import { appendFileSync, existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, expect, test } from "vitest";
import { ROOT } from "../launch/paths.ts";

const folders: string[] = [];
afterEach(() => {
  for (const folder of folders.splice(0)) rmSync(folder, { recursive: true, force: true });
});

function clean(): string {
  const folder = mkdtempSync(join(tmpdir(), "spindle-provision-"));
  folders.push(folder);
  return folder;
}

const GOOD = { AUTH_USER: "ada", AUTH_PASS: "correct horse battery", DOMAIN: "spindle.test", DB_NAME: "spindle" };

function provision(folder: string, change: Record<string, string | undefined> = {}) {
  const env = { PATH: process.env.PATH, SPINDLE_ROOT: folder, SPINDLE_ACCELERATOR: "cpu", ...GOOD, ...change, NODE_ENV: "test" as const };
  const { status, stdout, stderr } = spawnSync("bash", [join(ROOT, "infra/provision/provision.sh")], { env, encoding: "utf8" });
  return { status, text: stdout + stderr };
}

const files = (folder: string): Record<string, string> =>
  Object.fromEntries(
    readdirSync(folder, { recursive: true, encoding: "utf8" })
      .filter((file) => statSync(join(folder, file)).isFile())
      .map((file) => [file, readFileSync(join(folder, file), "utf8")]),
  );

const settings = (folder: string): Record<string, string> =>
  Object.fromEntries(
    readFileSync(join(folder, ".env"), "utf8")
      .split("\n")
      .filter(Boolean)
      .map((line) => [line.slice(0, line.indexOf("=")), line.slice(line.indexOf("=") + 1)]),
  );

const openssl = (args: string[], input = ""): string => spawnSync("openssl", args, { input, encoding: "utf8" }).stdout;

function printsNoSecret(folder: string, text: string): void {
  for (const [name, value] of Object.entries(settings(folder))) if (value.length >= 32) expect(text.includes(value), name).toBe(false);
  expect(text).not.toContain(GOOD.AUTH_PASS);
  expect(text).not.toMatch(/BEGIN|\$apr1\$/);
}

test("one run makes secrets, users and a certificate; the second changes nothing; neither prints a secret", () => {
  const folder = clean();
  const first = provision(folder);
  expect(first).toMatchObject({ status: 0 });
  const made = files(folder);
  const { POSTGRES_PASSWORD, REDIS_PASSWORD, AUTH_USER, DB_NAME, ...rest } = settings(folder);
  expect({ AUTH_USER, DB_NAME }).toEqual({ AUTH_USER: "ada", DB_NAME: "spindle" });
  const secrets = [
    POSTGRES_PASSWORD,
    REDIS_PASSWORD,
    ...Object.entries(rest).flatMap(([name, value]) => (/KEY|SECRET|PASSWORD/.test(name) ? value : [])),
  ];
  expect(secrets.length).toBe(13);
  expect(new Set(secrets).size, "each its own").toBe(13);
  for (const secret of secrets) expect(secret).toMatch(/^[0-9a-f]{48}$/);

  const mode = (file: string) => statSync(join(folder, file)).mode & 0o777;
  expect([mode(".env"), mode(".spindle/docker"), mode(".spindle/docker/ca.key")]).toEqual([0o600, 0o700, 0o600]);

  const edge = join(folder, ".spindle/docker/edge");
  const [user, hash = ""] = readFileSync(join(edge, "users"), "utf8").trim().split(":");
  expect(user).toBe("ada");
  expect(openssl(["passwd", "-apr1", "-salt", hash.split("$")[2] as string, "-stdin"], GOOD.AUTH_PASS).trim()).toBe(hash);
  const authority = join(folder, ".spindle/docker/ca.crt");
  for (const name of ["spindle.test", "ui.spindle.test", "s3.spindle.test"])
    expect(openssl(["verify", "-CAfile", authority, "-verify_hostname", name, join(edge, "tls.crt")])).toContain("OK");

  const second = provision(folder);
  expect(second).toMatchObject({ status: 0 });
  expect(files(folder)).toEqual(made);
  expect(second.text).not.toContain("wrote");
  for (const { text } of [first, second]) printsNoSecret(folder, text);
});

test("a change of password, user or domain changes that alone; what others wrote stays", () => {
  const folder = clean();
  provision(folder);
  appendFileSync(join(folder, ".env"), "OLLAMA_MODEL=mine\n");
  appendFileSync(join(folder, ".spindle/docker/edge/users"), "zed:$2y$05$abc\n");
  const before = settings(folder);
  const changed = provision(folder, { AUTH_PASS: "another horse battery", AUTH_USER: "bob", DOMAIN: "other.test" });
  expect(changed).toMatchObject({ status: 0 });
  expect(settings(folder)).toEqual({ ...before, AUTH_USER: "bob", DOMAIN: "other.test" });
  expect(readFileSync(join(folder, ".spindle/docker/edge/users"), "utf8")).toMatch(/^bob:\$apr1\$\S+\nzed:\$2y\$05\$abc\n$/);
  const certificate = openssl(["x509", "-in", join(folder, ".spindle/docker/edge/tls.crt"), "-noout", "-ext", "subjectAltName"]);
  expect(certificate).toContain("DNS:*.other.test");
  printsNoSecret(folder, changed.text);
});

test.each([
  ["AUTH_USER is not set", { AUTH_USER: undefined }],
  ["AUTH_PASS is not set", { AUTH_PASS: "" }],
  ["DOMAIN is not set", { DOMAIN: undefined }],
  ["DB_NAME is not set", { DB_NAME: undefined }],
  ["AUTH_PASS is too short", { AUTH_PASS: "short one" }],
  ["AUTH_PASS repeats", { AUTH_PASS: "aaaaaaaaaaaaaaab" }],
  ["AUTH_PASS holds AUTH_USER", { AUTH_PASS: "my name is Ada, really" }],
  ["everybody tries first", { AUTH_PASS: "MySuperSecret-2026" }],
  ["AUTH_PASS holds a line break", { AUTH_PASS: "correct horse\nbattery" }],
  ["AUTH_USER may hold", { AUTH_USER: "ada:root" }],
  ["AUTH_USER may hold", { AUTH_USER: "ada\nroot" }],
  ["DOMAIN is no host name", { DOMAIN: "localhost" }],
  ["DOMAIN is no host name", { DOMAIN: "a.b`) || Host(`x" }],
  ["DB_NAME may hold", { DB_NAME: "my-db; DROP" }],
  ["SPINDLE_ACCELERATOR is cpu or gpu", { SPINDLE_ACCELERATOR: "tpu" }],
  ["SPINDLE_CPUS is a whole number", { SPINDLE_CPUS: "many" }],
])("refuses with a sentence, and leaves no .env: %s", (sentence, change) => {
  const folder = clean();
  const { status, text } = provision(folder, change);
  expect(status).toBe(1);
  expect(text).toContain(sentence);
  expect(text.trim().split("\n")).toHaveLength(1);
  expect(existsSync(join(folder, ".env"))).toBe(false);
});

test("a database that was made under another name, and a secret that somebody weakened, are refused", () => {
  const folder = clean();
  provision(folder);
  expect(provision(folder, { DB_NAME: "other" }).text).toContain("DB_NAME is spindle already");
  const file = join(folder, ".env");
  writeFileSync(file, readFileSync(file, "utf8").replace(/^REDIS_PASSWORD=.*$/m, "REDIS_PASSWORD=redis"));
  const before = files(folder);
  const { status, text } = provision(folder);
  expect(status).toBe(1);
  expect(text).toContain("REDIS_PASSWORD in .env is too weak");
  expect(files(folder)).toEqual(before);
});
