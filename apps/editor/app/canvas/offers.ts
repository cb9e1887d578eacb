// What the palette lists, and in which order: what fits first, of that what was used last.
import type { NodeDefinition } from "@spindle/graph-model";
import type { Join, Joinable } from "./joint";

export interface Offer {
  definition: NodeDefinition;
  /** How it would be wired; undefined where it does not fit, or where there is nothing to be wired to. */
  join: Join | undefined;
  /** Why it does not fit. */
  why: string | undefined;
}

export interface OfferGroup {
  title: "Fits" | "Recently used" | "Nodes" | "Does not fit";
  /** The best of them, at most `MOST_OFFERS`. */
  offers: readonly Offer[];
  /** How many there are in all. */
  count: number;
}

/** How many a group lists; nobody reads more. */
export const MOST_OFFERS = 50;

/** Under which what is dragged out of the library says its key. */
export const DRAG_TYPE = "application/x-spindle-capability";

export const keyOf = ({ plane, service, shared }: Pick<NodeDefinition, "plane" | "service" | "shared">): string =>
  shared ? `${plane} ${service} ${shared.definition}` : `${plane} ${service}`;

interface Asked {
  /** What was typed finds these, best first; all of the library where nothing was. */
  found: readonly NodeDefinition[];
  isSearch: boolean;
  /** Undefined where there is nothing to be wired to. */
  join: Joinable | undefined;
  /** Keys of what was used, the last first. */
  recent: readonly string[];
}

/** Only groups that hold something. */
export function offerGroups({ found, isSearch, join, recent }: Asked): OfferGroup[] {
  const lastUse = new Map(recent.map((key, index) => [key, index]));
  const use = ({ definition }: Offer) => lastUse.get(keyOf(definition)) ?? recent.length;
  const offers = found.map((definition): Offer => {
    const answer = join?.(definition);
    return answer && "why" in answer ? { definition, join: undefined, why: answer.why } : { definition, join: answer, why: undefined };
  });
  const group = (title: OfferGroup["title"], list: readonly Offer[]): OfferGroup[] =>
    list.length > 0 ? [{ title, offers: list.slice(0, MOST_OFFERS), count: list.length }] : [];
  if (join) {
    const fitting = offers.filter(({ why }) => why === undefined);
    // A search has an order of its own: how well an entry answers what was typed.
    const sorted = isSearch ? fitting : fitting.sort((a, b) => use(a) - use(b) || rank(b) - rank(a));
    return [
      ...group("Fits", sorted),
      ...group(
        "Does not fit",
        offers.filter(({ why }) => why !== undefined),
      ),
    ];
  }
  if (isSearch) return group("Nodes", offers);
  const used = offers.filter((offer) => use(offer) < recent.length).sort((a, b) => use(a) - use(b));
  return [
    ...group("Recently used", used),
    ...group(
      "Nodes",
      offers.filter((offer) => use(offer) === recent.length),
    ),
  ];
}

/** What runs now comes before what does not, and then what fits best. */
const rank = ({ definition, join }: Offer): number => (definition.live ? 1000 : 0) + (join?.score ?? 0);
