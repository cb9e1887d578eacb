// Makes an engine of a ComfyUI workflow: what the capability gives it, and what it gives the capability.
import {
  type Graph,
  inputsOf,
  type Library,
  type NodeDefinition,
  type OfferedWorkflow,
  offeredBlueprint,
  type Port,
  portsFit,
  suggestedOffer,
  type WorkflowResult,
  whyNotOffered,
  workflowOf,
} from "@spindle/graph-model";
import { useMutation } from "@tanstack/react-query";
import { useMemo, useState } from "react";
import { useTRPC } from "../session/provider";
import { CloseButton, Dialog } from "../ui/dialog";
import { Row } from "../ui/row";
import { toast } from "../ui/toast";

interface Props {
  graph: Graph;
  library: Library;
  /** A node of the workflow. */
  node: string;
  onClose(): void;
}

export function OfferDialog({ graph, library, node, onClose }: Props) {
  const found = useMemo(() => workflowOf(graph, library, node), [graph, library, node]);
  return (
    <Dialog title="Offer the workflow as an engine" className="offer" onClose={onClose}>
      {"why" in found ? (
        <>
          <p className="text-bad" role="alert">
            {found.why}
          </p>
          <CloseButton>Close</CloseButton>
        </>
      ) : (
        <OfferForm workflow={found} library={library} onClose={onClose} />
      )}
    </Dialog>
  );
}

/** What may have another engine: neither ComfyUI's own nodes, nor what Spindle itself or a person does. */
const capabilitiesOf = (library: Library): NodeDefinition[] =>
  library
    .all()
    .filter(
      ({ plane, instant, human, calls, outputs }) => plane !== "comfy" && !instant && !human && calls === undefined && outputs.length > 0,
    )
    .sort((a, b) => a.label.localeCompare(b.label));

const keyOf = ({ plane, service }: NodeDefinition): string => `${plane}/${service}`;
const shortName = (label: string): string =>
  label
    .toLowerCase()
    .replaceAll(/[^a-z0-9]+/g, "-")
    .replaceAll(/^-|-$/g, "")
    .slice(0, 30);

function OfferForm({ workflow, library, onClose }: { workflow: OfferedWorkflow; library: Library; onClose(): void }) {
  const trpc = useTRPC();
  const capabilities = useMemo(() => capabilitiesOf(library), [library]);
  const [key, setKey] = useState(() => likeliest(workflow, capabilities));
  const [label, setLabel] = useState("");
  const [ownName, setOwnName] = useState<string>();
  const [description, setDescription] = useState("");
  const [changes, setChanges] = useState<{ key: string; set: Record<string, string>; gives: Record<string, number> }>();
  const definition = capabilities.find((each) => keyOf(each) === key);
  const name = ownName ?? shortName(label);
  const offer = useMutation(
    trpc.engines.offer.mutationOptions({
      onSuccess: () => {
        toast("info", `"${label.trim()}" is an engine of ${definition?.label ?? "the capability"}.`);
        onClose();
      },
    }),
  );
  const suggested = useMemo(() => definition && suggestedOffer(workflow, definition), [workflow, definition]);
  if (!definition || !suggested) return <p className="text-muted">No capability can have another engine.</p>;
  // A large workflow has hundreds of values; those that nothing could set stay as they are.
  const places = workflow.places.filter(({ port, isOpen }) => isOpen || fitting(definition, port).length > 0);
  const own = changes?.key === key ? changes : { key, set: {}, gives: {} };
  const set = placesChosen({ ...suggested.set, ...own.set });
  const gives = Object.fromEntries(
    definition.outputs.flatMap((output) => {
      const at = own.gives[output.name];
      const result = at === undefined ? suggested.gives[output.name] : workflow.results[at];
      return result ? [[output.name, { from: result.from, pick: result.pick }] as const] : [];
    }),
  );
  const blueprint = offeredBlueprint(workflow, definition, { name, label: label.trim(), description: description.trim(), set, gives });
  const faults = [
    ...(label.trim() === "" ? ["The engine needs a name."] : []),
    ...(label.trim() !== "" && !/^[a-z0-9-]{1,30}$/.test(name) ? ["The short name has 1 to 30 letters a to z, digits and dashes."] : []),
    ...whyNotOffered(blueprint, library, workflow),
  ];
  return (
    <form
      className="offer-form"
      onSubmit={(event) => {
        event.preventDefault();
        if (faults.length === 0) offer.mutate({ blueprint });
      }}
    >
      <Row label="Capability" hint="What the workflow does instead of the engines that the capability has.">
        <select className="field" aria-label="Capability" value={key} onChange={(event) => setKey(event.target.value)}>
          {capabilities.map((each) => (
            <option key={keyOf(each)} value={keyOf(each)}>
              {each.label} ({each.service})
            </option>
          ))}
        </select>
      </Row>
      <Row label="Name" required>
        <input className="field" aria-label="Name" maxLength={100} value={label} onChange={(event) => setLabel(event.target.value)} />
      </Row>
      <Row label="Short name" hint="The engine is chosen by it, over REST and in graphs.">
        <input className="field" aria-label="Short name" maxLength={30} value={name} onChange={(event) => setOwnName(event.target.value)} />
      </Row>
      <Row label="Description">
        <textarea
          className="field"
          aria-label="Description"
          rows={2}
          maxLength={2000}
          value={description}
          onChange={(event) => setDescription(event.target.value)}
        />
      </Row>
      <h4>What the capability is given</h4>
      {places.length === 0 && <p className="text-muted text-small">Nothing in the workflow takes what the capability is given.</p>}
      {places.map(({ at, label: place, port, isOpen }) => (
        <Row key={at} label={place} required={isOpen}>
          <select
            className="field"
            aria-label={place}
            value={set[at] ?? ""}
            onChange={(event) => setChanges({ ...own, set: { ...own.set, [at]: event.target.value } })}
          >
            <option value="">{isOpen ? "Choose an input" : "As in the workflow"}</option>
            {fitting(definition, port).map((input) => (
              <option key={input.name} value={input.name}>
                {input.label}
              </option>
            ))}
          </select>
        </Row>
      ))}
      <h4>What it gives</h4>
      {definition.outputs.map((output) => (
        <Row key={output.name} label={output.label} required={output.required}>
          <select
            className="field"
            aria-label={output.label}
            value={workflow.results.findIndex((result) => isResult(result, gives[output.name]))}
            onChange={(event) => setChanges({ ...own, gives: { ...own.gives, [output.name]: Number(event.target.value) } })}
          >
            <option value={-1}>Nothing</option>
            {workflow.results.map((result, index) =>
              portsFit(result.port, output) ? (
                <option key={`${result.from} ${result.pick} ${result.port.name}`} value={index}>
                  {result.label}
                </option>
              ) : null,
            )}
          </select>
        </Row>
      ))}
      <div aria-live="polite">
        {faults.length > 0 ? (
          <ul className="offer-faults text-muted text-small">
            {faults.slice(0, 5).map((fault) => (
              <li key={fault}>{fault}</li>
            ))}
          </ul>
        ) : (
          <p className="text-muted text-small">
            Everybody who uses this Spindle can choose it. It is live where a ComfyUI has every node and file of the workflow.
          </p>
        )}
        {offer.error && (
          <p className="text-bad" role="alert">
            {offer.error.message}
          </p>
        )}
      </div>
      <div className="row">
        <button type="submit" className="button primary large" disabled={faults.length > 0 || offer.isPending}>
          Offer
        </button>
        <CloseButton>Cancel</CloseButton>
      </div>
    </form>
  );
}

const isResult = (result: WorkflowResult, given: Pick<WorkflowResult, "from" | "pick"> | undefined): boolean =>
  given !== undefined && result.from === given.from && result.pick === given.pick;

const placesChosen = (set: Record<string, string>): Record<string, string> =>
  Object.fromEntries(Object.entries(set).filter(([, input]) => input !== ""));

const fitting = (definition: NodeDefinition, port: Port): Port[] => inputsOf(definition).filter((input) => portsFit(input, port));

/** The capability of whose inputs and outputs most are there in the workflow. */
function likeliest(workflow: OfferedWorkflow, capabilities: readonly NodeDefinition[]): string {
  const open = workflow.places.filter(({ isOpen }) => isOpen).length;
  const scored = capabilities.map((definition) => {
    const { set, gives } = suggestedOffer(workflow, definition);
    const needed = definition.outputs.filter(({ required }) => required).length;
    const isWhole = definition.outputs.every((output) => !output.required || gives[output.name] !== undefined);
    const isFed = workflow.places.every(({ at, isOpen }) => !isOpen || set[at] !== undefined);
    return { key: keyOf(definition), score: (isWhole && needed > 0 ? 4 : 0) + (isFed && open > 0 ? 2 : 0) + Object.keys(set).length / 100 };
  });
  return scored.sort((a, b) => b.score - a.score)[0]?.key ?? "";
}
