// What the run will ask for, filled in before it starts. Values stay in this browser: they are not part of the graph.
import { type RunInput, whyInvalid } from "@spindle/graph-model";
import { useEffect, useRef, useState } from "react";
import { runValuesKey } from "../session/run-values";
import { Row } from "../ui/row";
import { Widget } from "../ui/widget";

export type InputValues = Record<string, unknown>;

/** The values, kept per graph in this browser, how to set one, and how to read what was set last before it is drawn. */
export function useRunValues(graph: string): [InputValues, (name: string, value: unknown) => void, () => InputValues] {
  const key = runValuesKey(graph);
  const [values, setValues] = useState<InputValues>({});
  const latest = useRef(values);
  useEffect(() => {
    try {
      latest.current = JSON.parse(localStorage.getItem(key) ?? "{}") as InputValues;
    } catch {
      latest.current = {};
    }
    setValues(latest.current);
  }, [key]);
  const set = (name: string, value: unknown) => {
    const next = { ...latest.current, [name]: value };
    if (value === undefined) delete next[name];
    latest.current = next;
    localStorage.setItem(key, JSON.stringify(next));
    setValues(next);
  };
  return [values, set, () => latest.current];
}

/** The first input whose value would make the server refuse the run. */
export function missingInput(inputs: readonly RunInput[], values: InputValues): RunInput | undefined {
  return inputs.find(
    (input) => input.required && values[input.name] === undefined && input.default === undefined && !("default" in input.schema),
  );
}

export function RunInputsForm({
  inputs,
  values,
  onChange,
  failed,
}: {
  inputs: readonly RunInput[];
  values: InputValues;
  onChange(name: string, value: unknown): void;
  failed: { name: string; message: string } | undefined;
}) {
  return (
    <>
      <div className="inspector-head">
        <h2>Run</h2>
      </div>
      <div className="scroll">
        <section className="section">
          <h4>Inputs of the run</h4>
          {inputs.length === 0 && <p className="text-faint text-small">This graph asks for nothing.</p>}
          {inputs.map((input) => {
            const value = values[input.name];
            const invalid = value !== undefined && typeof value !== "object" ? whyInvalid(value, input.schema) : undefined;
            const problem = failed?.name === input.name ? failed.message : invalid;
            return (
              <Row key={input.name} label={input.label} hint={input.description} required={input.required} problem={problem}>
                <Widget
                  label={input.label}
                  schema={input.schema}
                  value={value ?? input.default}
                  onChange={(next) => onChange(input.name, next)}
                />
              </Row>
            );
          })}
        </section>
      </div>
    </>
  );
}
