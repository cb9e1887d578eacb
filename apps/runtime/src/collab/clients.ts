// Whose the client ids of a document are (DESIGN C5, docs/decisions/0032): of whoever used each first. Under another's id an edit could be
// made that Yjs takes for one of theirs, and leaves theirs out.

/** Who edits. A browser profile may have several names, of which the first is written down. */
export interface Author {
  readonly name: string;
  readonly names: ReadonlySet<string>;
}

export const authorOf = (name: string, ...others: string[]): Author => ({ name, names: new Set([name, ...others]) });

/** The origin of what the server itself edits, for whoever calls it. Its client ids are no page's. */
export const SERVER = authorOf("server");

/** Pages that said that they are there, and have edited nothing yet. */
const MOST_ANNOUNCED = 2 ** 14;

export class Clients {
  /** Until the document leaves the memory: others hear of an id as soon as its page is there, and may not be the first to edit under it. */
  private readonly announced = new Map<number, string>();

  /** @param stored owners of the ids under which the document was edited; of one from before there were owners there is none */
  constructor(private readonly stored: Map<number, string>) {}

  isOf({ names }: Author, client: number): boolean {
    const owner = this.stored.get(client) ?? this.announced.get(client);
    return owner === undefined || names.has(owner);
  }

  announce({ name }: Author, client: number): void {
    if (this.stored.has(client) || this.announced.has(client)) return;
    this.announced.set(client, name);
    const [oldest] = this.announced.keys();
    if (oldest !== undefined && this.announced.size > MOST_ANNOUNCED) this.announced.delete(oldest);
  }

  /** Of those that an edit was made under, the ones that have no owner yet. */
  unowned(clients: readonly number[]): number[] {
    return clients.filter((client) => !this.stored.has(client));
  }

  /** What was stored. */
  own({ name }: Author, clients: readonly number[]): void {
    for (const client of clients) {
      this.announced.delete(client);
      this.stored.set(client, name);
    }
  }
}
