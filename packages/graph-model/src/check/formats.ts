import { format } from "@cfworker/json-schema";

/** Every `format` that whyInvalid checks; any other is passed over, as JSON Schema wants it. */
export const CHECKED_FORMATS: readonly string[] = Object.keys(format);
