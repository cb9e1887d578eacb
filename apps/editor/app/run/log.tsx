// The text that each try of a node wrote, if any did.
import { useQuery } from "@tanstack/react-query";
import { useTRPC } from "../session/provider";

export function Log({ run, path, ended }: { run: string; path: string; ended: boolean }) {
  const trpc = useTRPC();
  const { data = [] } = useQuery({ ...trpc.runs.logs.queryOptions({ id: run, path }), enabled: ended });
  if (data.length === 0) return null;
  return (
    <div className="node-logs" data-testid="log">
      <h4 className="text-small medium">Log</h4>
      {data.map(({ attempt, text }) => (
        <div key={attempt}>
          {data.length > 1 && <p className="text-faint text-small">Try {attempt}</p>}
          <pre className="node-log">{text}</pre>
        </div>
      ))}
    </div>
  );
}
