import type { ArtifactRef } from "@spindle/schemas";
import busboy from "busboy";
import type { Request } from "express";
import { type Artifacts, MAX_UPLOAD } from "../artifacts/artifacts.ts";
import { Refused } from "../refused.ts";

export interface Form {
  fields: Record<string, string>;
  files: Record<string, ArtifactRef>;
}

/**
 * Reads a multipart form; each file becomes an artifact.
 * @param kindOf the artifact type that a field asks for; undefined for a field that is not expected
 * @throws Refused 4xx with the field and the reason
 */
export async function readForm(request: Request, artifacts: Artifacts, kindOf: (field: string) => string | undefined): Promise<Form> {
  if (!request.is("multipart/form-data")) throw new Refused(415, "request.invalid", "A multipart/form-data body is needed.");
  const form: Form = { fields: {}, files: {} };
  const uploads: Promise<void>[] = [];
  await new Promise<void>((resolve, reject) => {
    const parser = parserFor(request);
    parser.on("field", (name, value, { valueTruncated }) => {
      if (valueTruncated)
        return void reject(new Refused(413, "request.invalid", `${name}: the value is longer than 1 MiB.`, { field: name }));
      if (!["__proto__", "constructor", "prototype"].includes(name)) form.fields[name] = value;
    });
    parser.on("file", (field, stream, { filename }) => {
      const kind = kindOf(field);
      if (kind === undefined) {
        stream.resume();
        return void reject(new Refused(422, "request.invalid", `${field.slice(0, 80)}: no file is expected here.`, { field }));
      }
      const taken = artifacts.upload(stream, { name: filename ?? "", kind, field }).then((ref) => {
        form.files[field] = ref;
      });
      taken.catch(() => stream.resume()); // it may be refused before the form is read to its end; it is awaited below
      uploads.push(taken);
    });
    parser.on("filesLimit", () => reject(new Refused(413, "request.invalid", "More than 16 files.")));
    parser.on("close", resolve);
    parser.on("error", (error) => reject(new Refused(400, "request.invalid", `The form cannot be read: ${(error as Error).message}.`)));
    request.pipe(parser);
  }).catch(async (error) => {
    request.unpipe();
    request.resume();
    await Promise.allSettled(uploads);
    throw error;
  });
  const failed = (await Promise.allSettled(uploads)).find((one) => one.status === "rejected");
  if (failed) throw failed.reason;
  return form;
}

function parserFor(request: Request) {
  try {
    return busboy({
      headers: request.headers,
      defParamCharset: "utf8",
      limits: { files: 16, fileSize: MAX_UPLOAD, fields: 100, fieldSize: 1024 * 1024, parts: 120 },
    });
  } catch (error) {
    throw new Refused(400, "request.invalid", `The form cannot be read: ${(error as Error).message}.`);
  }
}
