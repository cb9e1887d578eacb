import type { Readable } from "node:stream";
import type { ArtifactRef } from "@spindle/schemas";
import busboy from "busboy";
import type { Request } from "express";
import { type Artifacts, MAX_UPLOAD } from "../artifacts/artifacts.ts";
import { Refused } from "../refused.ts";

export interface Form {
  fields: Record<string, string>;
  files: Record<string, ArtifactRef>;
}

type KindOf = (field: string) => string | undefined;

const MAX_FILES = 16;
const MAX_FIELDS = 100;
const MAX_FIELD_MIB = 1;
const RESERVED: ReadonlySet<string> = new Set(["__proto__", "constructor", "prototype"]);

/**
 * Reads a multipart form; each file becomes an artifact. It settles even if the client goes away: then nothing of a file that was under way stays.
 * @param kindOf the artifact type that a field asks for; undefined for a field that is not expected
 * @throws Refused 4xx with the field and the reason
 */
export async function readForm(request: Request, artifacts: Artifacts, kindOf: KindOf): Promise<Form> {
  if (!request.is("multipart/form-data")) throw new Refused(415, "request.invalid", "A multipart/form-data body is needed.");
  const gone = new AbortController();
  const leave = () => gone.abort(new Refused(400, "request.invalid", "The client went away before its files were taken."));
  request.socket.once("close", leave);
  return readParts(request, artifacts, kindOf, gone).finally(() => request.socket.off("close", leave));
}

/** @param gone aborted if nobody waits for the form any more, or it is refused */
async function readParts(request: Request, artifacts: Artifacts, kindOf: KindOf, gone: AbortController): Promise<Form> {
  const form: Form = { fields: {}, files: {} };
  const uploads: Promise<void>[] = [];
  const parser = parserFor(request);
  await new Promise<void>((resolve, reject) => {
    /** Destroys the stream of the file that is being read as well, which ends its upload. */
    const fail = (why: Error) => {
      reject(why);
      gone.abort(why);
      parser.destroy(why);
    };
    const refuse = (status: 400 | 413 | 422, message: string, field?: string) =>
      fail(new Refused(status, "request.invalid", message, field === undefined ? {} : { field }));
    /** What a listener throws nobody else would catch: it would end the process. */
    const guarded =
      <T extends unknown[]>(listener: (...args: T) => void) =>
      (...args: T): void => {
        try {
          listener(...args);
        } catch (error) {
          fail(error as Error);
        }
      };
    const takeField = (name: string | undefined, value: string, { valueTruncated }: { valueTruncated: boolean }) => {
      if (name === undefined) return refuse(422, "A field of the form has no name.");
      if (valueTruncated) return refuse(413, `${name}: the value is longer than ${MAX_FIELD_MIB} MiB.`, name);
      if (!RESERVED.has(name)) form.fields[name] = value;
    };
    const takeFile = (field: string | undefined, stream: Readable, { filename }: { filename?: string | undefined }) => {
      stream.on("error", () => {}); // a reader of the stream gets the error; without one it would be uncaught
      if (parser.destroyed) return; // the rest of a chunk whose form was refused
      if (field === undefined || RESERVED.has(field)) return refuse(422, "A file of the form has no name that can be used.");
      const kind = kindOf(field);
      if (kind === undefined) return refuse(422, `${field.slice(0, 80)}: no file is expected here.`, field);
      const taken = artifacts.upload(stream, { name: filename ?? "", kind, field }, gone.signal).then((ref) => {
        form.files[field] = ref;
      });
      taken.catch(fail);
      uploads.push(taken);
    };
    parser.on("field", guarded(takeField));
    parser.on("file", guarded(takeFile));
    parser.on("filesLimit", () => refuse(413, `More than ${MAX_FILES} files.`));
    parser.on("fieldsLimit", () => refuse(413, `More than ${MAX_FIELDS} fields.`));
    parser.on("close", resolve);
    parser.on("error", (error) => refuse(400, `The form cannot be read: ${(error as Error).message}.`));
    // A pipe does not say that its source was cut off: the parser would wait for ever, with a file open.
    request.once("close", () => request.readableEnded || refuse(400, "The upload was cut off before its end."));
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
      limits: { files: MAX_FILES, fileSize: MAX_UPLOAD, fields: MAX_FIELDS, fieldSize: MAX_FIELD_MIB * 1024 * 1024 },
    });
  } catch (error) {
    throw new Refused(400, "request.invalid", `The form cannot be read: ${(error as Error).message}.`);
  }
}
