import { isGenerated, repositoryFiles } from "../../infra/check/files.ts";

export const files = repositoryFiles();

export const codeFiles = files.filter((file) => /\.(ts|tsx|mts|mjs|cjs|js|py|lua|css)$/.test(file) && !isGenerated(file));
