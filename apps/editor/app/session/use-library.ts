import type { Library } from "@spindle/graph-model";
import { makeLibrary } from "@spindle/node-library";
import { useQuery, useQueryClient } from "@tanstack/react-query";
import { useSubscription } from "@trpc/tanstack-react-query";
import { useMemo } from "react";
import { useTRPC } from "./provider";

const NOTHING = makeLibrary([]);

/** The node library as the planes advertise it now, and what keeps ComfyUI away. */
export function useLibrary(): { library: Library; loaded: boolean; trouble: string | undefined } {
  const trpc = useTRPC();
  const client = useQueryClient();
  const { data } = useQuery(trpc.library.get.queryOptions());
  useSubscription(
    trpc.library.watch.subscriptionOptions(undefined, { onData: (manifest) => client.setQueryData(trpc.library.get.queryKey(), manifest) }),
  );
  const library = useMemo(() => (data ? makeLibrary(data.capabilities) : NOTHING), [data]);
  return { library, loaded: data !== undefined, trouble: data?.sources.comfy?.reason };
}
