// The fields of a card: a node is set where it stands.
import { setParam } from "@spindle/graph-model/shared-doc";
import { ME } from "../session/use-document";
import { isField } from "../ui/keys";
import { FieldProblem, ReachedByTab } from "../ui/row";
import { isBlock, Widget } from "../ui/widget";
import { useCanvas } from "./canvas-context";
import type { CardField } from "./fields";
import { useCardTab } from "./tab-stop";

interface FieldProps {
  node: string;
  field: CardField;
  value: unknown;
  /** What is wrong with the value. */
  problem: string | undefined;
}

/** A label and a control, in one line if the value is short. What is pressed in it moves neither the card nor the canvas. */
export function CardFieldRow({ node, field: { name, label, schema, placeholder }, value, problem }: FieldProps) {
  const { sheet } = useCanvas();
  const isReached = useCardTab().tabIndex === undefined;
  return (
    <div
      className={`card-field nodrag nopan nowheel${isBlock(schema) ? " of-block" : ""}`}
      data-invalid={problem !== undefined}
      title={problem ?? label}
    >
      <span className="card-field-label ellipsis">{label}</span>
      <ReachedByTab.Provider value={isReached}>
        <FieldProblem problem={problem}>
          <Widget
            compact
            label={label}
            schema={schema}
            value={value}
            {...(placeholder === undefined ? {} : { placeholder })}
            onChange={(next, typed) => setParam(sheet, ME, node, name, next, typed)}
          />
        </FieldProblem>
      </ReachedByTab.Provider>
    </div>
  );
}

interface Props {
  node: string;
  fields: readonly CardField[];
  params: Readonly<Record<string, unknown>>;
  problems: ReadonlyMap<string, string> | undefined;
}

export function CardFields({ node, fields, params, problems }: Props) {
  if (fields.length === 0) return null;
  return (
    <div className="card-fields">
      {fields.map((field) => (
        <CardFieldRow key={field.name} node={node} field={field} value={params[field.name]} problem={problems?.get(field.name)} />
      ))}
    </div>
  );
}

/** For `onKeyDown` of a card: a field of it is left with Esc, and one of a single line with Enter, for the card itself. */
export function leaveField({ key, target, currentTarget, nativeEvent }: React.KeyboardEvent): void {
  if (!isField(target) || nativeEvent.isComposing) return;
  if (key !== "Escape" && !(key === "Enter" && target instanceof HTMLInputElement)) return;
  nativeEvent.stopPropagation();
  currentTarget.closest<HTMLElement>(".react-flow__node")?.focus({ preventScroll: true });
}
