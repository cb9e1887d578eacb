// Where in the graph the canvas is, while it shows a subgraph: the way back, and how many nodes an edit changes at once.
import { ChevronRight, Split } from "lucide-react";
import { Fragment } from "react";
import type { BoundCommand } from "./use-commands";
import type { ShownLevel } from "./use-level";

interface Props {
  level: ShownLevel;
  /** How many nodes call the definition that is shown. */
  uses: number;
  unique: BoundCommand;
}

export function Breadcrumb({ level, uses, unique }: Props) {
  const { trail } = level;
  if (trail.length < 2) return null;
  return (
    <nav className="floating breadcrumb" aria-label="Place in the graph">
      <ol>
        {trail.map(({ title, calls }, index) => (
          <Fragment key={calls.join("/")}>
            {index > 0 && <ChevronRight size={14} className="text-faint" aria-hidden />}
            <li>
              {index === trail.length - 1 ? (
                <b className="ellipsis" aria-current="page" title={title}>
                  {title}
                </b>
              ) : (
                <button type="button" className="button quiet ellipsis" title={title || "Graph"} onClick={() => level.open(calls)}>
                  {title || "Graph"}
                </button>
              )}
            </li>
          </Fragment>
        ))}
      </ol>
      {uses > 1 && (
        <span className="row breadcrumb-uses">
          <span className="text-warn text-small" title="An edit here changes all of them.">
            Used in {uses} places
          </span>
          <button type="button" className="button" title={unique.title} onClick={() => unique.run()}>
            <Split size={14} /> Make unique
          </button>
        </span>
      )}
    </nav>
  );
}
