// What a capability is for, and values to try it with.
import { type Example, type NodeDefinition, portType, whyValueUnfit } from "@spindle/graph-model";
import { type Sheet, setParam } from "@spindle/graph-model/shared-doc";
import { ClipboardPlus } from "lucide-react";
import { ME } from "../session/use-document";
import { Markdown } from "../ui/markdown";
import { Viewer } from "../ui/viewer";

interface Props {
  sheet: Sheet;
  id: string;
  definition: NodeDefinition | undefined;
  /** The values of an example stand in the fields now. */
  onSet(): void;
}

export function About({ sheet, id, definition, onSet }: Props) {
  if (!definition) return <p className="section text-small text-muted">Nothing is known of this capability.</p>;
  const insert = (values: Values) => {
    sheet.transact(() => {
      for (const [name, value] of Object.entries(values)) setParam(sheet, ME, id, name, value);
    }, ME);
    onSet();
  };
  const examples = (definition.examples ?? []).map((example) => ({ ...example, values: insertable(definition, example) }));
  return (
    <>
      <div className="section text-small text-muted copyable help">
        <Markdown text={definition.docs} />
      </div>
      {examples.map(({ input, output, values }, index) => (
        <section className="section" key={JSON.stringify(input)}>
          <h4>
            {index === 0 ? "Example" : `Example ${index + 1}`}
            {Object.keys(values).length > 0 && (
              <button
                type="button"
                className="button quiet at-end"
                title="Puts these values into the fields of the node; undo takes them back"
                onClick={() => insert(values)}
              >
                <ClipboardPlus size={14} /> Insert
              </button>
            )}
          </h4>
          {Object.entries(input).map(([name, value]) => (
            <Viewer key={name} name={name} value={value} />
          ))}
          {output && (
            <>
              <p className="text-faint text-small">gives</p>
              {Object.entries(output).map(([name, value]) => (
                <Viewer key={name} name={name} value={value} />
              ))}
            </>
          )}
        </section>
      ))}
    </>
  );
}

type Values = Record<string, unknown>;

/** The values of an example that the node takes as they are: a file in it is only named. */
function insertable({ inputs, parameters }: NodeDefinition, { input }: Example): Values {
  const schemas = new Map([...inputs, ...parameters].map(({ name, schema }) => [name, { type: portType(schema), schema }]));
  const fits = ([name, value]: [string, unknown]) => {
    const place = schemas.get(name);
    return place !== undefined && whyValueUnfit(value, place) === undefined;
  };
  return Object.fromEntries(Object.entries(input).filter(fits));
}
