import {
  type Graph,
  type InputSource,
  type Issue,
  type Level,
  type Library,
  labelOf,
  type NodeDefinition,
  nodeTitle,
  type ResolvedNode,
  resolve,
} from "@spindle/graph-model";
import { definitionOf, renameNode, type Sheet, setParam, setSetting } from "@spindle/graph-model/shared-doc";
import { Play } from "lucide-react";
import { Tabs } from "radix-ui";
import { useEffect, useState } from "react";
import { type Problems, problemsOf } from "../canvas/problems";
import { isSeed } from "../canvas/seeds";
import { Result } from "../run/result";
import { ME } from "../session/use-document";
import { grantWish, useFieldWish } from "../ui/field-wish";
import { Menu, type MenuEntry } from "../ui/menu";
import { NameField } from "../ui/name-field";
import { PlaneMark } from "../ui/plane-mark";
import { Row } from "../ui/row";
import { type Typed, Widget } from "../ui/widget";
import { About } from "./about";
import { EngineChoice } from "./engine-choice";
import { NodeControl } from "./node-control";
import { OutputChoices } from "./output-choice";
import { SeedChoice } from "./seed-choice";
import { variablesOf } from "./variables";

interface Props {
  sheet: Sheet;
  graph: Graph;
  library: Library;
  issues: readonly Issue[];
  id: string;
}

/**
 * @param parts the menu of the runs that end or begin at this node
 * @param about what there is to say of the node before its tabs
 */
export function NodeInspector({
  sheet,
  graph,
  library,
  issues,
  id,
  parts,
  about,
}: Props & { parts: readonly MenuEntry[]; about?: React.ReactNode }) {
  const level = resolve(graph, library).root;
  const resolved = level.node(id);
  const [tab, setTab] = useState("settings");
  const wish = useFieldWish((state) => (state.wish?.node === id ? state.wish : undefined));
  useEffect(() => {
    if (!wish) return;
    if (tab === "settings") grantWish(wish);
    else setTab("settings");
  }, [wish, tab]);
  if (!resolved) return null;
  const { node, definition } = resolved;
  return (
    <>
      <div className="inspector-head">
        <PlaneMark plane={node.plane} off={definition?.live === false} />
        <div className="grow">
          <NameField key={id} wide label="Node title" name={nodeTitle(node)} onRename={(name) => renameNode(sheet, ME, id, name)} />
          <div className="text-faint text-tiny monospace ellipsis node-service">
            {node.service}
            {definition ? `, version ${definition.version}` : ""}
          </div>
        </div>
        <Menu
          trigger={
            <button type="button" className="button icon quiet" aria-label="Run a part">
              <Play size={14} />
            </button>
          }
          items={parts}
        />
      </div>
      {about}
      <Tabs.Root value={tab} onValueChange={setTab} className="tabbed">
        <Tabs.List className="tabs" aria-label="Node">
          <Tabs.Trigger className="tab" value="settings">
            Settings
          </Tabs.Trigger>
          <Tabs.Trigger className="tab" value="result">
            Result
          </Tabs.Trigger>
          <Tabs.Trigger className="tab" value="about">
            About
          </Tabs.Trigger>
        </Tabs.List>
        <Tabs.Content value="settings" className="scroll">
          {definition ? (
            <Settings key={id} sheet={sheet} level={level} resolved={resolved} definition={definition} problems={problemsOf(id, issues)} />
          ) : (
            <p className="section text-bad text-small">
              {node.service} is not in the library. Replace the node, or start a worker that offers it.
            </p>
          )}
        </Tabs.Content>
        <Tabs.Content value="result" className="scroll">
          <Result sheet={sheet} graph={graph} id={id} />
        </Tabs.Content>
        <Tabs.Content value="about" className="scroll">
          <About sheet={sheet} id={id} definition={definition} onSet={() => setTab("settings")} />
        </Tabs.Content>
      </Tabs.Root>
    </>
  );
}

const TIME_OUT = { type: "integer", minimum: 1, maximum: 604800, "x-unit": "s" };

interface SettingsProps {
  sheet: Sheet;
  level: Level;
  resolved: ResolvedNode;
  definition: NodeDefinition;
  problems: Problems;
}

function Settings({ sheet, level, resolved, definition, problems }: SettingsProps) {
  const { node, settings, sources } = resolved;
  const { id } = node;
  const params = node.params ?? {};
  const isInside = definitionOf(sheet) !== undefined;
  const set = (name: string) => (value: unknown, typed?: Typed) => setParam(sheet, ME, id, name, value, typed);
  return (
    <>
      <section className="section" data-field="engine">
        <h4>Engine</h4>
        <EngineChoice
          definition={definition}
          value={settings.engine ?? "auto"}
          onChange={(engine) => setSetting(sheet, ME, id, "engine", engine)}
        />
      </section>
      {definition.parameters.length > 0 && (
        <section className="section">
          <h4>Parameters</h4>
          {definition.parameters.map(({ name, schema, description, required }) => {
            const label = labelOf(name, schema);
            return (
              <Row key={name} field={name} label={label} hint={description} required={required} problem={problems.values.get(name)}>
                <Widget
                  label={label}
                  schema={schema}
                  value={params[name]}
                  variables={variablesOf(level, resolved, schema)}
                  onChange={set(name)}
                />
                {isSeed(schema) && <SeedChoice sheet={sheet} graph={level.graph} node={id} name={name} label={label} />}
              </Row>
            );
          })}
        </section>
      )}
      {sources.length > 0 && (
        <section className="section">
          <h4>Inputs</h4>
          {sources.map((source) => (
            <Row
              key={source.port.name}
              field={source.port.name}
              label={source.port.label}
              hint={source.port.description}
              required={source.port.required}
              from={whereFrom(level, source, isInside)}
              problem={problems.values.get(source.port.name)}
            >
              {source.kind !== "wire" && isSeed(source.port.schema) && (
                <SeedChoice sheet={sheet} graph={level.graph} node={id} name={source.port.name} label={source.port.label} />
              )}
              {source.kind !== "wire" && (
                <Widget
                  label={source.port.label}
                  schema={source.port.schema}
                  value={params[source.port.name]}
                  placeholder={
                    source.kind !== "run" && source.kind !== "interface"
                      ? ""
                      : isInside
                        ? "What the subgraph is given"
                        : "Asked when it runs"
                  }
                  onChange={set(source.port.name)}
                />
              )}
            </Row>
          ))}
        </section>
      )}
      <OutputChoices sheet={sheet} level={level} resolved={resolved} />
      <section className="section">
        <h4>When it takes long</h4>
        <Row
          field="timeoutSeconds"
          label="Stop after"
          hint="Empty for the capability's own limit."
          problem={problems.settings.get("timeoutSeconds")}
        >
          <Widget
            label="Stop after"
            schema={TIME_OUT}
            value={settings.timeoutSeconds}
            placeholder={definition.timeoutSeconds > 0 ? String(definition.timeoutSeconds) : "No limit"}
            onChange={(value) => setSetting(sheet, ME, id, "timeoutSeconds", value)}
          />
        </Row>
      </section>
      <NodeControl settings={[settings]} onSet={(name, value) => setSetting(sheet, ME, id, name, value)} />
    </>
  );
}

function whereFrom(level: Level, source: InputSource, isInside: boolean): string | undefined {
  const title = (id: string) => nodeTitle(level.node(id)?.node ?? { id });
  if (source.kind === "wire") return `from ${title(source.from)}`;
  if (source.kind === "upstream") return `by name, from ${title(source.from)}`;
  if (source.kind !== "interface" && source.kind !== "run") return undefined;
  if (isInside) return "from the subgraph's input";
  return source.kind === "interface" ? "from the run" : "asked when it runs";
}
