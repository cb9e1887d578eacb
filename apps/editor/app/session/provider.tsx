// One WebSocket per tab carries every call and every subscription, and resumes where it was after a break.
import type { AppRouter } from "@spindle/runtime/router";
import { QueryClient, QueryClientProvider } from "@tanstack/react-query";
import { createTRPCClient, createWSClient, wsLink } from "@trpc/client";
import { createTRPCContext } from "@trpc/tanstack-react-query";
import { type ReactNode, useState } from "react";

const context = createTRPCContext<AppRouter>();
export const useTRPC = context.useTRPC;
export const useTRPCClient = context.useTRPCClient;

const isBrowser = typeof window !== "undefined";
export const socketUrl = (path: string): string => `${isBrowser ? location.origin.replace(/^http/, "ws") : "ws://127.0.0.1"}${path}`;

/** What was refused is refused again; what did not answer may answer. */
const mayAnswer = (tries: number, error: unknown): boolean =>
  tries < 2 && ((error as { data?: { httpStatus?: number } }).data?.httpStatus ?? 500) >= 500;

export function SessionProvider({ children }: { children: ReactNode }) {
  const [queries] = useState(
    () => new QueryClient({ defaultOptions: { queries: { staleTime: 2000, retry: mayAnswer, enabled: isBrowser } } }),
  );
  const [trpc] = useState(() => {
    // While the server draws the page nothing is asked: data comes over the socket.
    if (!isBrowser) return createTRPCClient<AppRouter>({ links: [] });
    const client = createWSClient({
      url: socketUrl("/trpc"),
      retryDelayMs: (tries) => Math.min(250 * 2 ** tries, 3000),
      keepAlive: { enabled: true },
    });
    return createTRPCClient<AppRouter>({ links: [wsLink({ client })] });
  });
  return (
    <QueryClientProvider client={queries}>
      <context.TRPCProvider trpcClient={trpc} queryClient={queries}>
        {children}
      </context.TRPCProvider>
    </QueryClientProvider>
  );
}
