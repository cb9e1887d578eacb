// What people decide about the queue: each act can be undone from the message that tells of it.
import type { Priority } from "@spindle/schemas";
import { useMutation, useQueryClient } from "@tanstack/react-query";
import { useTRPC } from "../session/provider";
import { toast, toastError } from "../ui/toast";

/** As the API names all of them. */
export const EVERY_DEVICE = "all";
const FIRST = { high: "goes before the others", normal: "takes its turn", low: "goes after the others" } as const satisfies Record<
  Priority,
  string
>;

export function usePauses() {
  const trpc = useTRPC();
  const client = useQueryClient();
  const onSettled = () => client.invalidateQueries({ queryKey: trpc.system.get.queryKey() });
  const options = { onSettled, onError: toastError };
  const pausing = useMutation(trpc.system.pause.mutationOptions(options));
  const resuming = useMutation(trpc.system.resume.mutationOptions(options));
  const forgetting = useMutation(trpc.system.forget.mutationOptions(options));
  const raising = useMutation(trpc.system.prioritise.mutationOptions(options));
  const pause = async (device: string, label: string) => {
    await pausing.mutateAsync({ device }).then(
      () =>
        toast("info", `${label}: paused. What runs goes on, and nothing new begins.`, {
          label: "Undo",
          act: () => resuming.mutate({ device }),
        }),
      () => {}, // it has been told
    );
  };
  const resume = async (device: string, label: string) => {
    await resuming.mutateAsync({ device }).then(
      () => toast("info", `${label}: resumed.`, { label: "Undo", act: () => pausing.mutate({ device }) }),
      () => {},
    );
  };
  const prioritise = async (run: { id: string; number: number }, priority: Priority) => {
    await raising.mutateAsync({ id: run.id, priority }).then(
      ({ before }) =>
        toast("info", `Run ${run.number} ${FIRST[priority]}.`, {
          label: "Undo",
          act: () => raising.mutate({ id: run.id, priority: before }),
        }),
      () => {},
    );
  };
  const forget = (worker: string) =>
    forgetting.mutateAsync({ worker }).then(
      () => toast("info", `${worker} is forgotten. What it alone offered has left the library, and is back when it is started again.`),
      () => {},
    );
  return { forget, pause, resume, prioritise, isPending: pausing.isPending || resuming.isPending };
}
