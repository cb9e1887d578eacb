import type { Readable } from "node:stream";
import {
  CreateBucketCommand,
  DeleteObjectCommand,
  GetObjectCommand,
  HeadBucketCommand,
  HeadObjectCommand,
  ListObjectsV2Command,
  PutObjectCommand,
  S3Client,
} from "@aws-sdk/client-s3";
import { getSignedUrl } from "@aws-sdk/s3-request-presigner";
import { assertKey, ObjectNotFound, type ObjectStore } from "./store.ts";

export interface S3Options {
  endpoint: string;
  bucket: string;
  region: string;
  accessKeyId: string;
  secretAccessKey: string;
}

/** A connection without a byte for so long leads nowhere; the client tries again on another. */
const SILENCE_MS = 10_000;
const SIGNED_FOR_SECONDS = 3600;

/** Any S3 API; MinIO first. Checksums only where the store asks for them: not every S3 knows aws-chunked bodies. */
export async function s3Store(options: S3Options): Promise<ObjectStore> {
  const client = new S3Client({
    endpoint: options.endpoint,
    region: options.region,
    forcePathStyle: true,
    requestHandler: { connectionTimeout: 3000, socketTimeout: SILENCE_MS },
    credentials: { accessKeyId: options.accessKeyId, secretAccessKey: options.secretAccessKey },
    requestChecksumCalculation: "WHEN_REQUIRED",
    responseChecksumValidation: "WHEN_REQUIRED",
  });
  const Bucket = options.bucket;
  await client.send(new HeadBucketCommand({ Bucket })).catch(async (error) => {
    if (error.$metadata?.httpStatusCode !== 404) throw error;
    await client.send(new CreateBucketCommand({ Bucket }));
  });
  const missing = (error: unknown): boolean => ["NoSuchKey", "NotFound"].includes((error as Error).name);
  return {
    kind: "s3",
    async put(key, body, size, mime) {
      assertKey(key);
      await client.send(new PutObjectCommand({ Bucket, Key: key, Body: body, ContentLength: size, ContentType: mime }));
    },
    async get(key, range) {
      assertKey(key);
      const command = new GetObjectCommand({ Bucket, Key: key, ...(range ? { Range: `bytes=${range.start}-${range.end}` } : {}) });
      const { Body } = await client.send(command).catch((error) => {
        throw missing(error) ? new ObjectNotFound(key) : error;
      });
      return Body as Readable;
    },
    async size(key) {
      assertKey(key);
      return client.send(new HeadObjectCommand({ Bucket, Key: key })).then(
        (head) => head.ContentLength,
        (error) => {
          if (missing(error)) return undefined;
          throw error;
        },
      );
    },
    async remove(key) {
      assertKey(key);
      await client.send(new DeleteObjectCommand({ Bucket, Key: key }));
    },
    async list(prefix) {
      assertKey(`${prefix}/x`);
      const keys: string[] = [];
      for (let token: string | undefined; ; ) {
        const page = await client.send(new ListObjectsV2Command({ Bucket, Prefix: `${prefix}/`, ContinuationToken: token }));
        keys.push(...(page.Contents ?? []).flatMap((object) => object.Key ?? []));
        token = page.NextContinuationToken;
        if (!token) return keys.sort();
      }
    },
    async sign(method, key, mime) {
      assertKey(key);
      const command =
        method === "GET" ? new GetObjectCommand({ Bucket, Key: key }) : new PutObjectCommand({ Bucket, Key: key, ContentType: mime });
      const headers: Record<string, string> = mime ? { "content-type": mime } : {};
      return { url: await getSignedUrl(client, command, { expiresIn: SIGNED_FOR_SECONDS }), headers };
    },
    async check() {
      await client.send(new HeadBucketCommand({ Bucket }));
    },
  };
}
