import { createContext } from "react";

/** The nonce is known only while the server draws the page; browsers hide it from scripts. */
export const NonceContext = createContext<string | undefined>(undefined);
