import "@fontsource-variable/inter";
import "@fontsource-variable/jetbrains-mono";
import "@xyflow/react/dist/base.css";
import "./styles/tokens.css";
import "./styles/base.css";
import "./styles/controls.css";
import "./styles/overlays.css";
import "./styles/canvas.css";
import "./styles/wires.css";
import "./styles/edges.css";
import "./styles/subgraph.css";
import "./styles/card-fields.css";
import "./styles/notes.css";
import "./styles/palette.css";
import "./styles/panels.css";
import "./styles/run-panel.css";
import "./styles/pages.css";
import "./styles/system.css";
import "./styles/templates.css";
import "./styles/narrow.css";
import { isRouteErrorResponse, Links, Meta, Outlet, Scripts, ScrollRestoration, useRouteError } from "@remix-run/react";
import { type ReactNode, useContext, useEffect } from "react";
import { doEarlyClick, KEEP_EARLY_CLICK } from "./session/early-click";
import { NonceContext } from "./session/nonce";
import { SessionProvider } from "./session/provider";
import { usePageTitle } from "./ui/page-title";
import { Toasts } from "./ui/toast";
import { TopNav } from "./ui/top";

// The theme is set before the first paint, so that nothing flashes.
const THEME = `try{document.documentElement.dataset.theme=localStorage.getItem("spindle.theme")||(matchMedia("(prefers-color-scheme: light)").matches?"light":"dark")}catch{};`;

export const meta = () => [{ title: "Spindle" }];

export function Layout({ children }: { children: ReactNode }) {
  const nonce = useContext(NonceContext);
  return (
    <html lang="en" data-theme="dark" suppressHydrationWarning>
      <head>
        <meta charSet="utf-8" />
        <meta name="viewport" content="width=device-width, initial-scale=1" />
        <link rel="icon" href="/favicon.svg" type="image/svg+xml" />
        {/* biome-ignore lint/security/noDangerouslySetInnerHtml: constants */}
        <script nonce={nonce} suppressHydrationWarning dangerouslySetInnerHTML={{ __html: THEME + KEEP_EARLY_CLICK }} />
        <Meta />
        <Links />
      </head>
      <body>
        {children}
        <ScrollRestoration nonce={nonce} />
        <Scripts nonce={nonce} />
      </body>
    </html>
  );
}

export default function App() {
  useEffect(doEarlyClick, []);
  return (
    <SessionProvider>
      <Outlet />
      <Toasts />
    </SessionProvider>
  );
}

function messageOf(error: unknown): string {
  if (isRouteErrorResponse(error)) return `${error.status} ${error.statusText}`;
  return error instanceof Error ? error.message : "Something failed.";
}

export function ErrorBoundary() {
  const error = useRouteError();
  const isNowhere = isRouteErrorResponse(error) && error.status === 404;
  usePageTitle(isNowhere ? "Not found" : "This page cannot be shown");
  return (
    <div className="page">
      <TopNav />
      <main className="empty-page">
        <h1>{isNowhere ? "There is no such page" : "This page cannot be shown"}</h1>
        <p className="text-muted">{isNowhere ? "The address may be mistyped, or what was here has moved." : messageOf(error)}</p>
        <a className="button large" href="/">
          Back to your graphs
        </a>
      </main>
    </div>
  );
}
