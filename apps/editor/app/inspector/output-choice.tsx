// What leaves of an output of which there may be several.
import { edgeMetadata, type Leaving, type Level, leavesOf, type Port, type ResolvedNode, wiresForEach } from "@spindle/graph-model";
import { type Sheet, setEdge, setSetting } from "@spindle/graph-model/shared-doc";
import { ME } from "../session/use-document";
import { Row } from "../ui/row";

type Choice = Leaving | "each";

const WORDS: Readonly<Record<Choice, string>> = {
  first: "The first",
  all: "All, as a list",
  each: "All, each by itself",
};
const HINTS: Readonly<Record<Choice, string>> = {
  first: "Of several the first leaves; the log says how many there were.",
  all: "What takes a list gets them all.",
  each: "What takes one runs once for each.",
};

interface Props {
  sheet: Sheet;
  level: Level;
  resolved: ResolvedNode;
}

/** Nothing for a node whose outputs are each what they are. */
export function OutputChoices({ sheet, level, resolved }: Props) {
  const ports = (resolved.element?.outputs ?? []).filter((port) => leavesOf(port) !== undefined);
  if (ports.length === 0) return null;
  const { id } = resolved.node;
  const choiceOf = (port: Port): Choice => {
    const leaving = leavesOf(port) as Leaving;
    const wires = wiresForEach(level, id, port.name);
    return leaving === "all" && wires.length > 0 && wires.every(({ isMap }) => isMap) ? "each" : leaving;
  };
  const choose = (port: Port, choice: Choice) =>
    sheet.transact(() => {
      const leaving: Leaving = choice === "first" ? "first" : "all";
      setSetting(sheet, ME, id, "outputs", { ...resolved.settings.outputs, [port.name]: leaving });
      for (const { edge, isMap } of wiresForEach(level, id, port.name)) {
        const wire = edgeMetadata(edge).id;
        if (wire !== undefined && isMap !== (choice === "each")) setEdge(sheet, ME, wire, { map: isMap ? null : {} });
      }
    }, ME);
  return (
    <section className="section">
      <h4>Where there are several</h4>
      {ports.map((port) => {
        const choice = choiceOf(port);
        return (
          <Row key={port.name} field="outputs" label={port.label} hint={HINTS[choice]}>
            <select
              className="field"
              aria-label={`${port.label}: what leaves`}
              value={choice}
              onChange={(event) => choose(port, event.target.value as Choice)}
            >
              {Object.entries(WORDS).map(([value, word]) => (
                <option key={value} value={value}>
                  {word}
                </option>
              ))}
            </select>
          </Row>
        );
      })}
    </section>
  );
}
