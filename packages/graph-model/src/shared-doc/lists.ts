// A key's values, or the pieces of a text, are a list, into which Yjs puts an item between the two neighbours that it names. Where others
// lie between these, whoever loads the document works its place out again, in another order.
import * as Y from "yjs";
import { type Allowance, continues, EditRefused, EditUnfit, IN_TWO_PLACES, ONE_UPDATE, TOO_ENTANGLED, TOO_LONG_A_LIST } from "./apply.ts";

/** A list that is shorter cannot come to more than its rivals may cost. */
const SHORT = Math.sqrt(ONE_UPDATE.rivalry);
/** By what its rivals may grow through items that have none themselves, as a multiple of what they may cost when one is added. */
const GROWTH = 4;

/** Of each type the long lists, by key, with how many items may be put between two neighbours in them before they are looked at again. */
const calm = new WeakMap<object, Map<string | null, number>>();

/** What a transaction added to a list. */
export interface Addition {
  /** One of the items. */
  item: Y.Item;
  count: number;
  /** Those that were put among others of which their authors did not know. */
  contested: Y.Item[];
}

/** @throws EditRefused where what was added to a list cannot be found again, or not cheaply, when the document is loaded */
export function refuseUnfitList(store: Y.Doc["store"], addition: Addition, allowance: Allowance): void {
  refuseAmbiguous(store, addition);
  refuseEntangled(store, addition, allowance);
}

/** Where something is in a list: the index of its item there, and how far behind the item's begin. */
type Position = readonly [index: number, offset: number];
const BEGIN: Position = [-1, 0];
const END: Position = [Number.POSITIVE_INFINITY, 0];

const isBefore = ([a, offsetOfA]: Position, [b, offsetOfB]: Position): boolean => a < b || (a === b && offsetOfA < offsetOfB);

/**
 * Yjs finds one order of a list, whichever of its items come first, as long as the author of each saw its neighbours side by side. Of what
 * lay between them the author may have known nothing: neither neighbour may itself have been put next to something that lies there.
 * Costs the length of the list for those that are added among others, and nothing for the rest.
 * @throws EditRefused
 */
function refuseAmbiguous(store: Y.Doc["store"], { contested }: Addition): void {
  const [some] = contested;
  if (!some) return;
  const indexes = new Map<Y.Item | Y.GC, number>();
  for (let item: Y.Item | null = firstOf(some); item; item = item.right) indexes.set(item, indexes.size);
  const positionOf = (id: Y.ID): Position | undefined => {
    const item = Y.getItem(store, id);
    const index = indexes.get(item);
    return index === undefined ? undefined : [index, id.clock - item.id.clock];
  };
  for (const { origin, rightOrigin } of contested) {
    const left = origin ? positionOf(origin) : BEGIN;
    const right = rightOrigin ? positionOf(rightOrigin) : END;
    const behindLeft = origin && Y.getItem(store, origin).rightOrigin;
    const beforeRight = rightOrigin && originOf(store, rightOrigin);
    const isClear =
      left &&
      right &&
      isBefore(left, right) &&
      !isBefore((behindLeft && positionOf(behindLeft)) ?? END, right) &&
      !isBefore(left, (beforeRight && positionOf(beforeRight)) ?? BEGIN);
    if (!isClear) throw new EditRefused(IN_TWO_PLACES);
  }
}

/** What a piece of an item was put behind: of all but the first, the one before it. */
function originOf(store: Y.Doc["store"], id: Y.ID): Y.ID | null {
  const item = Y.getItem(store, id);
  return id.clock > item.id.clock ? Y.createID(id.client, id.clock - 1) : item.origin;
}

function firstOf(item: Y.Item): Y.Item {
  let first = item;
  while (first.left) first = first.left;
  return first;
}

/**
 * Whoever loads the document compares the rivals in a list with what lies between them, in an order that nobody chooses, so what that can
 * come to is bounded. Costs the length of the list, or nothing until as much has been put
 * into it as might take its rivals to their bound.
 * @throws EditUnfit
 */
function refuseEntangled(store: Y.Doc["store"], { item, count, contested }: Addition, allowance: Allowance): void {
  const isContested = contested.length > 0;
  const { parent, parentSub } = item;
  const lists = calm.get(parent as object) ?? new Map<string | null, number>();
  calm.set(parent as object, lists);
  const left = isContested ? undefined : lists.get(parentSub);
  if (left !== undefined && left >= count) return void lists.set(parentSub, left - count);
  const { first, isShort } = listOf(item);
  if (isShort) return;
  if (isPeaceful(first)) return void lists.set(parentSub, Number.POSITIVE_INFINITY);
  const { length, comparisons, weight } = rivalry(store, first);
  const most = isContested ? allowance.rivalry : GROWTH * allowance.rivalry;
  if (comparisons > most) throw new EditUnfit(TOO_ENTANGLED);
  if (length > allowance.pieces) throw new EditUnfit(TOO_LONG_A_LIST);
  // An item may be a rival at a place that had none, of all that stands there, and moves others apart.
  lists.set(parentSub, Math.floor((GROWTH * allowance.rivalry - comparisons) / (3 * length + weight)));
}

function listOf(item: Y.Item): { first: Y.Item; isShort: boolean } {
  let length = 1;
  let first = item;
  for (; first.left; length++) first = first.left;
  for (let at = item.right; at && length <= SHORT; length++) at = at.right;
  return { first, isShort: length <= SHORT };
}

/**
 * Whether everything in a list is right behind what it was put behind, or behind others there of which each knew the next one. Then it
 * has no rivals, and gets none by what is put between two neighbours and names both, as people's edits are nearly all.
 */
function isPeaceful(first: Y.Item): boolean {
  interface Open {
    item: Y.Item | undefined;
    /** The last that was put behind its end. */
    child?: Y.Item;
  }
  const open: Open[] = [{ item: undefined }];
  for (let item: Y.Item | null = first; item; item = item.right) {
    const { origin } = item;
    let behind = open.at(-1);
    while (behind && !(origin ? behind.item && Y.compareIDs(behind.item.lastId, origin) : !behind.item)) {
      open.pop();
      behind = open.at(-1);
    }
    if (!behind || (behind.child && !Y.compareIDs(behind.child.rightOrigin, item.id))) return false;
    behind.child = item;
    open.push({ item });
  }
  return true;
}

/** What was put behind one item: those that knew of each other are a group. */
interface Place {
  /** Where that item is. */
  from: number;
  last: Y.Item;
  groups: number;
  /** Where the last group begins. Of its items each knew of those behind it. */
  group: number;
}

/**
 * Rivals were put behind the same item by people who knew nothing of each other. Whoever knows what another put there puts a new item
 * before that, and says so (`rightOrigin`).
 * @returns how many pieces the list has, how many items Yjs compares at most to find the places of all rivals, and by how much that
 *   grows at most when another piece comes between
 */
function rivalry(store: Y.Doc["store"], first: Y.Item): { length: number; comparisons: number; weight: number } {
  const positions = new Map<Y.Item | Y.GC, number>();
  const places = new Map<string, Place>();
  let [length, comparisons, weight] = [0, 0, 0];
  for (let item: Y.Item | null = first; item; item = item.right) {
    if (!(item.left && continues(item.left, item))) length++;
    positions.set(item, length);
    const { origin } = item;
    const key = origin ? `${origin.client} ${origin.clock}` : "";
    let place = places.get(key);
    if (place) {
      if (!Y.compareIDs(place.last.rightOrigin, item.id)) {
        place.groups++;
        place.group = length;
      }
      place.last = item;
    } else {
      const piece = origin && Y.getItem(store, origin);
      // The rest of a piece that goes on is a rival of what was put into it elsewhere.
      const goesOn = piece && origin && piece.id.clock + piece.length - 1 > origin.clock;
      place = { from: (piece && positions.get(piece)) ?? 0, last: item, groups: goesOn ? 2 : 1, group: length };
      places.set(key, place);
    }
    if (place.groups === 1) continue;
    comparisons += place.group - place.from;
    weight++;
  }
  for (const { groups, from } of places.values()) {
    if (groups === 1) continue;
    comparisons += groups * (length - from);
    weight += groups;
  }
  return { length, comparisons, weight };
}
