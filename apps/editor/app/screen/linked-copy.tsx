// In the inspector of a node that calls a copy of a shared subgraph: which version that is, and what there is to do about it.
import { CloudUpload, Link2, RefreshCw } from "lucide-react";
import { Switch } from "radix-ui";
import type { BoundCommand, Commands } from "./use-commands";
import type { Copy } from "./use-shared-definitions";

interface Props {
  copy: Copy;
  update: BoundCommand;
  hold: BoundCommand;
  share: BoundCommand;
}

export const copyCommands = (commands: Commands) => ({
  update: commands.get("subgraph.update"),
  hold: commands.get("subgraph.hold"),
  share: commands.get("subgraph.share"),
});

export function LinkedCopy({ copy: { version, newer, isHeld, isEdited }, update, hold, share }: Props) {
  return (
    <section className="linked-copy" aria-label="Library node">
      <p className="text-small">
        <Link2 size={14} aria-hidden /> Version {version} of a library node
        {isEdited && <span className="text-warn">, edited here</span>}
        {newer && <span className="text-warn">; version {newer.head.version} is there</span>}
      </p>
      <div className="row">
        <span className="row text-small">
          <Switch.Root className="switch" checked={isHeld} onCheckedChange={() => hold.run()} aria-label="Hold at this version">
            <Switch.Thumb />
          </Switch.Root>
          Hold at this version
        </span>
        {newer && (
          <button type="button" className="button" onClick={() => update.run()}>
            <RefreshCw size={14} /> Update
          </button>
        )}
        {isEdited && !newer && (
          <button type="button" className="button" onClick={() => share.run()}>
            <CloudUpload size={14} /> Share the edits
          </button>
        )}
      </div>
    </section>
  );
}
