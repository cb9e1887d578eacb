// A wire that leads back: it goes round below both cards, so that it can be seen and grasped.
import { BaseEdge, type EdgeProps, useInternalNode } from "@xyflow/react";

const OUT = 28;
const BELOW = 36;
const ROUND = 12;

export function LoopEdge({ id, source, target, sourceX, sourceY, targetX, targetY, label, style, interactionWidth = 20 }: EdgeProps) {
  const bottom = (node: ReturnType<typeof useInternalNode>): number =>
    (node?.internals.positionAbsolute.y ?? 0) + (node?.measured.height ?? 0);
  const low = Math.max(bottom(useInternalNode(source)), bottom(useInternalNode(target)), sourceY, targetY) + BELOW;
  const [right, left] = [sourceX + OUT, targetX - OUT];
  const path = [
    `M${sourceX},${sourceY} H${right - ROUND} Q${right},${sourceY} ${right},${sourceY + ROUND}`,
    `V${low - ROUND} Q${right},${low} ${right - ROUND},${low}`,
    `H${left + ROUND} Q${left},${low} ${left},${low - ROUND}`,
    `V${targetY + ROUND} Q${left},${targetY} ${left + ROUND},${targetY} H${targetX}`,
  ].join(" ");
  return (
    <BaseEdge
      id={id}
      path={path}
      label={label}
      labelX={(left + right) / 2}
      labelY={low}
      labelBgPadding={[6, 3]}
      labelBgBorderRadius={4}
      interactionWidth={interactionWidth}
      {...(style ? { style } : {})}
    />
  );
}
