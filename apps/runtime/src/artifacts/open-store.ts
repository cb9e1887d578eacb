import { join } from "node:path";
import type { Config } from "../config.ts";
import { folderStore } from "./folder-store.ts";
import { s3Store } from "./s3-store.ts";
import type { ObjectStore } from "./store.ts";

export const openStore = async ({ s3, home }: Pick<Config, "s3" | "home">): Promise<ObjectStore> =>
  s3 ? s3Store(s3) : folderStore(join(home, "store"));

/** Says which store it is, without its keys. */
export const storeName = ({ s3 }: Pick<Config, "s3">): string => (s3 ? `the bucket ${s3.bucket} at ${s3.endpoint}` : "a folder");
