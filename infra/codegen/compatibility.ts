// Whether the previous release works with what a migration leaves (docs/decisions/0017). The list below is short, and of what it certainly
// works with, read by PostgreSQL's own parser; a statement that is not on it needs a comment, in which a person says why it is safe.
import { type ColumnDef, type Constraint, type Node, parse, type RangeVar } from "libpg-query";

type Statement<Name extends string> = Node extends infer Each ? (Each extends { [key in Name]: infer Fields } ? Fields : never) : never;

/**
 * Every statement of a migration that may break the previous release. The line in front of a statement permits it, if it is a comment
 * that names the earlier release which stopped using what goes, or says why it breaks nothing.
 * @param file what a problem calls the migration
 * @param releases all of them, the oldest first; the last is this one
 */
export async function whyBreaking(file: string, sql: string, releases: readonly string[]): Promise<string[]> {
  const release = releases.at(-1) as string;
  const bytes = Buffer.from(sql);
  const text = (from: number, to?: number) => bytes.subarray(from, to).toString(); // the parser counts bytes
  const migration = new Migration();
  let end = 0;
  const parsed = await parse(sql).catch((error: Error) => error);
  if (parsed instanceof Error) return [`${file} is no SQL that PostgreSQL reads: ${parsed.message}.`];
  return (parsed.stmts ?? []).flatMap(({ stmt, stmt_location: start = 0, stmt_len: length }) => {
    const comments = end === 0 ? text(0, start) : text(end, start).replace(/^.*/, ""); // not the rest of the statement's line before
    end = length === undefined ? bytes.length : start + length;
    const place = `${file}, line ${text(0, start).split("\n").length},`;
    const whyFails = whyFailing(stmt as Node);
    const why = migration.whyBreaking(stmt as Node);
    if (whyFails) return [`${place} ${whyFails}.`];
    if (why === undefined) return [];
    const [comment = "", indent = ""] = comments.split("\n").slice(-2);
    const unused = /^\s*--\s*contract: unused since (\S+)/.exec(comment)?.[1];
    const reason = /^\s*--\s*safe: (.+)/.exec(comment)?.[1] ?? "";
    const isAbove = indent.trim() === "";
    if (isAbove && isReason(reason)) return [];
    if (unused === undefined || !isAbove) return [`${place} ${why}. ${WAYS}`];
    if (unused === release) return [`${place} ${why}. This release still has to leave it alone; the next may contract it.`];
    if (!releases.includes(unused))
      return [`${place} ${why}. ${unused} is no release before ${release}: name the one that stopped using it.`];
    const whyNot = whyNoContract(stmt as Node) ?? whyMisleading(stmt);
    return whyNot ? [`${place} ${whyNot}.`] : [];
  });
}

const WAYS =
  'Expand now and contract a release later, marked "-- contract: unused since RELEASE"; or say in "-- safe: REASON" why it breaks nothing. The comment is the line right above.';
const LEAST_REASON = { characters: 20, words: 4 };

/** Whether a text is long enough to say why, in words of which no two are the same. */
function isReason(text: string): boolean {
  const words = text.toLowerCase().match(/\p{L}{2,}/gu) ?? [];
  const different = new Set(words.filter((word) => new Set(word).size > 1));
  return text.trim().length >= LEAST_REASON.characters && different.size >= LEAST_REASON.words;
}

/** What no transaction takes. Every migration is one, so no reason makes such a statement safe. */
const NOT_IN_TRANSACTION: ReadonlySet<string> = new Set(
  ["Createdb", "Dropdb", "CreateTableSpace", "DropTableSpace", "AlterSystem", "CreateSubscription", "DropSubscription"].map(
    (name) => `${name}Stmt`,
  ),
);

function whyFailing(statement: Node): string | undefined {
  if ("TransactionStmt" in statement) return "ends or divides the transaction of its migration (leave it out)";
  const [name] = Object.keys(statement) as [string];
  const isRefused =
    NOT_IN_TRANSACTION.has(name) ||
    ("VacuumStmt" in statement && statement.VacuumStmt.is_vacuumcmd === true) ||
    ("ClusterStmt" in statement && !statement.ClusterStmt.relation) ||
    ("DiscardStmt" in statement && statement.DiscardStmt.target === "DISCARD_ALL") ||
    ("ReindexStmt" in statement && !statement.ReindexStmt.relation);
  return isRefused || (!("RefreshMatViewStmt" in statement) && isConcurrent(statement))
    ? "cannot run in the transaction of its migration (leave out the statement, or its CONCURRENTLY)"
    : undefined;
}

/** Whether anything in a statement is done CONCURRENTLY, at whatever depth. */
function isConcurrent(part: unknown): boolean {
  if (part === null || typeof part !== "object") return false;
  return Object.entries(part).some(
    ([key, value]) => (key === "concurrent" && value === true) || (key === "defname" && value === "concurrently") || isConcurrent(value),
  );
}

const SEVERAL = "changes several things under one comment: write a statement for each, without CASCADE";
const DROPPED: ReadonlySet<string | undefined> = new Set(
  ["TABLE", "INDEX", "VIEW", "SEQUENCE", "TYPE", "FUNCTION", "TRIGGER"].map((kind) => `OBJECT_${kind}`),
);
const RENAMED: ReadonlySet<string | undefined> = new Set([...DROPPED, "OBJECT_COLUMN", "OBJECT_TABCONSTRAINT"]);
const CONTRACTIONS: ReadonlySet<string | undefined> = new Set(
  ["DropColumn", "DropConstraint", "AlterColumnType", "SetNotNull", "DropNotNull", "ColumnDefault"].map((change) => `AT_${change}`),
);

/** A release can have stopped using one thing, to which one statement does one thing. */
function whyNoContract(statement: Node): string | undefined {
  const other = 'is more than the contraction of one thing: say in "-- safe: REASON" why it breaks nothing';
  if ("DropStmt" in statement) {
    const { objects = [], removeType, behavior } = statement.DropStmt;
    if (!DROPPED.has(removeType)) return other;
    return objects.length > 1 || behavior === "DROP_CASCADE" ? SEVERAL : undefined;
  }
  if ("TruncateStmt" in statement) {
    const { relations = [], behavior } = statement.TruncateStmt;
    return relations.length > 1 || behavior === "DROP_CASCADE" ? SEVERAL : undefined;
  }
  if ("AlterTableStmt" in statement) {
    const commands = (statement.AlterTableStmt.cmds ?? []).map(
      (each) => (each as { AlterTableCmd: Statement<"AlterTableCmd"> }).AlterTableCmd,
    );
    if (commands.length > 1 || commands.some(({ behavior }) => behavior === "DROP_CASCADE")) return SEVERAL;
    return commands.every(({ subtype }) => CONTRACTIONS.has(subtype)) ? undefined : other;
  }
  if ("RenameStmt" in statement) return RENAMED.has(statement.RenameStmt.renameType) ? undefined : other;
  const rows = "DeleteStmt" in statement ? statement.DeleteStmt : "UpdateStmt" in statement ? statement.UpdateStmt : undefined;
  return rows && !rows.withClause && !calls(rows) ? undefined : other;
}

const KNOWN = "is not known to leave the previous release working";
const ROWS = "changes rows, and by functions, triggers and references perhaps others than it names";
const WHY: Readonly<Record<string, string>> = {
  InsertStmt: ROWS,
  UpdateStmt: ROWS,
  DeleteStmt: ROWS,
  TruncateStmt: "empties a table the previous release uses",
  CreateFunctionStmt:
    "makes a function, which may be found in the place of another (functions are files of their own, in prisma/functions)",
  CreateExtensionStmt: "makes functions and operators, which may be found in the place of others",
  CreateSchemaStmt: "makes a schema, in which names may be found before those in public",
  DropStmt: "drops something the previous release uses",
  RenameStmt: "renames something the previous release uses",
  DoStmt: "runs a block of code, which may do anything",
};

/** One migration, statement by statement: what it has made itself, the previous release does not use. */
class Migration {
  private readonly tables = new Set<string>();
  /** Columns that are null in every row that the previous release inserts, and that it never changes, as table and column. */
  private readonly nulls = new Set<string>();

  whyBreaking(statement: Node): string | undefined {
    const why = whyMisleading(statement) ?? this.whyNotHarmless(statement);
    if (why !== undefined) {
      // A person may permit it, and nothing that was known need be so any more: an UPDATE fills a column, a function does anything.
      this.tables.clear();
      this.nulls.clear();
    }
    return why;
  }

  private whyNotHarmless(statement: Node): string | undefined {
    if ("CreateStmt" in statement) return this.whyCreateBreaks(statement.CreateStmt);
    if ("AlterTableStmt" in statement) return this.whyAlterBreaks(statement.AlterTableStmt);
    if ("IndexStmt" in statement) return this.whyIndexBreaks(statement.IndexStmt);
    if ("ViewStmt" in statement) return statement.ViewStmt.replace ? "may replace something the previous release uses" : undefined;
    if ("CreateSeqStmt" in statement || "CreateEnumStmt" in statement || "CommentStmt" in statement) return undefined;
    const [name] = Object.keys(statement) as [string];
    return WHY[name] ?? `has a statement (${name}) that ${KNOWN}`;
  }

  private whyCreateBreaks({ relation, tableElts = [], inhRelations = [], ofTypename, if_not_exists: mayExist }: Statement<"CreateStmt">) {
    if (inhRelations.length > 0) return "adds rows to a table the previous release reads";
    if (mayExist) return "may find another table of that name (leave out IF NOT EXISTS)";
    const parts = tableElts.flatMap((part) =>
      "ColumnDef" in part ? constraintsOf(part.ColumnDef) : "Constraint" in part ? [part.Constraint] : [],
    );
    const isKnown = tableElts.every((part) => "ColumnDef" in part || "Constraint" in part);
    if (!isKnown || ofTypename) return `takes over what another table or type is, in a way that ${KNOWN}`;
    const why = firstOf(parts, whyReferenceBreaks);
    if (why === undefined && relation?.relname) this.tables.add(relation.relname);
    return why;
  }

  private whyAlterBreaks({ relation, cmds = [], objtype }: Statement<"AlterTableStmt">): string | undefined {
    if (objtype !== "OBJECT_TABLE") return `alters something in a way that ${KNOWN}`;
    const isNew = this.tables.has(relation?.relname ?? "");
    return firstOf(cmds, (each) => {
      const { subtype = "", def, missing_ok: mayExist } = (each as { AlterTableCmd: Statement<"AlterTableCmd"> }).AlterTableCmd;
      const column = subtype === "AT_AddColumn" && def && "ColumnDef" in def ? def.ColumnDef : undefined;
      const constraint = subtype === "AT_AddConstraint" && def && "Constraint" in def ? def.Constraint : undefined;
      if (isNew && column) return firstOf(constraintsOf(column), whyReferenceBreaks);
      if (isNew && constraint) return whyReferenceBreaks(constraint);
      if (isNew && CONTRACTIONS.has(subtype)) return undefined;
      if (column && !mayExist) return this.whyColumnBreaks(relation, column);
      if (constraint) return this.whyConstraintBreaks(relation, constraint);
      return ALTERATIONS[subtype] ?? `alters a table in a way (${subtype}) that ${KNOWN}`;
    });
  }

  private whyColumnBreaks(table: RangeVar | undefined, column: ColumnDef): string | undefined {
    const constraints = constraintsOf(column);
    const has = (type: Constraint["contype"]) => constraints.find(({ contype }) => contype === type);
    const type = builtInOf(column.typeName);
    if (type === undefined) return `has a column of a type (${namesOf(column.typeName?.names).join(".")}) that may refuse what is written`;
    const given = defaultOf(column);
    if (given && !isSafeDefault(given, type))
      return "computes a value for each row that the previous release writes, which may fail (give it a constant)";
    const identity = has("CONSTR_IDENTITY");
    const isNumbered = identity !== undefined || /serial/.test(type);
    if (isNumbered && (!/^(int8|bigserial)$/.test(type) || (identity?.options ?? []).length > 0))
      return "numbers each row that the previous release writes, up to a limit (make it a BIGINT, without limits)";
    const hasDefault = given !== undefined && !isNull(given);
    if (has("CONSTR_NOTNULL") && !hasDefault && !isNumbered)
      return "requires a value the previous release does not write (give it a DEFAULT)";
    if (!hasDefault && !isNumbered) this.nulls.add(`${table?.relname}.${column.colname}`);
    return firstOf(constraints, (constraint) => {
      if (HARMLESS.has(constraint.contype) || (isNumbered && constraint.contype === "CONSTR_UNIQUE")) return undefined;
      return this.whyConstraintBreaks(table, { ...constraint, keys: [{ String: { sval: column.colname as string } }] });
    });
  }

  private whyConstraintBreaks(table: RangeVar | undefined, constraint: Constraint): string | undefined {
    const { contype, keys = [], including = [], nulls_not_distinct: once } = constraint;
    const isHarmless = contype === "CONSTR_UNIQUE" && !once && this.areNull(table, namesOf([...keys, ...including]));
    return isHarmless ? undefined : "adds a constraint that the previous release may not keep";
  }

  private whyIndexBreaks(index: Statement<"IndexStmt">): string | undefined {
    const { relation, unique, indexParams = [], indexIncludingParams: included = [], whereClause, accessMethod } = index;
    if (this.tables.has(relation?.relname ?? "")) return undefined;
    const elements = [...indexParams, ...included].map((part) => ("IndexElem" in part ? part.IndexElem : {}));
    if (whereClause || accessMethod !== "btree" || elements.some(({ name, opclass }) => name === undefined || opclass))
      return "computes something of each row that the previous release writes, which may fail (index columns alone)";
    const areNull = this.areNull(
      relation,
      elements.map(({ name }) => name as string),
    );
    if (areNull && !(unique && index.nulls_not_distinct)) return undefined;
    return unique
      ? "requires values to be unique that the previous release may write twice"
      : "keeps the previous release from writing long values, as an entry of an index has at most 2,704 bytes";
  }

  /** Whether the previous release leaves all of them null. One that it writes is in the entry of an index, and may be too long for it. */
  private areNull(table: RangeVar | undefined, columns: readonly string[]): boolean {
    return columns.length > 0 && columns.every((column) => this.nulls.has(`${table?.relname}.${column}`));
  }
}

/** Of a reference of a new table: whatever it refers to, rows of that may go with those of an old one. */
function whyReferenceBreaks({ contype, pktable, pk_attrs: keys, fk_del_action: atDelete }: Constraint): string | undefined {
  if (contype !== "CONSTR_FOREIGN") return undefined;
  if (namesOf(keys).join() !== "id")
    return `keeps the previous release from changing what is referred to in ${pktable?.relname} (refer to its id)`;
  return atDelete === "c" ? undefined : `keeps the previous release from deleting rows of ${pktable?.relname} (add ON DELETE CASCADE)`;
}

const ALTERATIONS: Readonly<Record<string, string>> = {
  AT_DropColumn: "drops something the previous release uses",
  AT_DropConstraint: "drops something the previous release uses",
  AT_AlterColumnType: "changes the type of a column the previous release uses",
  AT_SetNotNull: "requires a value the previous release may not write",
  AT_ColumnDefault: "changes what a column holds that the previous release does not write",
};

const HARMLESS: ReadonlySet<Constraint["contype"]> = new Set(["CONSTR_NULL", "CONSTR_NOTNULL", "CONSTR_DEFAULT", "CONSTR_IDENTITY"]);

function firstOf<Part>(parts: readonly Part[], why: (part: Part) => string | undefined): string | undefined {
  for (const part of parts) {
    const found = why(part);
    if (found !== undefined) return found;
  }
  return undefined;
}

const constraintsOf = ({ constraints = [] }: ColumnDef): Constraint[] =>
  constraints.flatMap((each) => ("Constraint" in each ? [each.Constraint] : []));

const namesOf = (nodes: readonly Node[] = []): string[] => nodes.flatMap((node) => ("String" in node ? [node.String.sval ?? ""] : []));

/** The lists of names that begin with a schema, if there are several names. */
const QUALIFIED: ReadonlySet<string> = new Set(["names", "typeName", "funcname", "opclass", "collname"]);

/** What is something else than it seems, at whatever depth of a statement: its name, its life, or when it is worked out. */
function whyMisleading(part: unknown): string | undefined {
  if (part === null || typeof part !== "object") return undefined;
  return firstOf(Object.entries(part), ([key, value]) => {
    const [schema, ...rest] = QUALIFIED.has(key) && Array.isArray(value) ? namesOf(value) : [];
    if (rest.length > 0 && schema !== "public" && schema !== "pg_catalog") return `uses ${schema}, and everything is in public`;
    if (key === "schemaname" && value !== "public") return `uses the schema ${value}, and everything is in public`;
    if (key === "catalogname") return `names the database ${value}`;
    if (key === "relpersistence" && value === "t")
      return "makes something for its own session, which is found before what has the same name";
    if (key === "relpersistence" && value === "u") return "makes something that is empty after a crash of PostgreSQL (leave out UNLOGGED)";
    if (key === "A_Const" && isMoment(value))
      return "keeps the time at which the migration runs (write now(); for the word itself, 'now'::text)";
    if (key === "TypeCast" && isNoTime(value.typeName) && "A_Const" in value.arg) return undefined;
    const given = key === "ColumnDef" && isNoTime(value.typeName) ? defaultOf(value) : undefined;
    if (given && "A_Const" in given)
      return whyMisleading({ ...value, constraints: value.constraints.filter((each: Node) => !isDefault(each)) });
    return whyMisleading(value);
  });
}

const defaultOf = (column: ColumnDef): Node | undefined =>
  constraintsOf(column).find(({ contype }) => contype === "CONSTR_DEFAULT")?.raw_expr;

const isDefault = (node: Node): boolean => "Constraint" in node && node.Constraint.contype === "CONSTR_DEFAULT";

/** A sentence may have such a word, and is read as no time. */
const MOST_WORDS = 3;

/** Whether a text could be read as a time that depends on when it is read: once, when the statement is. */
function isMoment({ sval }: { sval?: { sval?: string } }): boolean {
  const text = sval?.sval ?? "";
  return /\b(now|today|tomorrow|yesterday)\b/i.test(text) && text.trim().split(/\s+/).length <= MOST_WORDS;
}

/** Whether a constant of a type is certainly read as no time. */
const isNoTime = (type: ColumnDef["typeName"]): boolean => /^(?!time|date|interval)/.test(builtInOf(type) ?? "time");

const BUILT_IN =
  /^(bool|int[248]|(small|big)?serial[248]?|float[48]|numeric|text|varchar|bpchar|uuid|jsonb?|bytea|date|timetz|time|timestamptz|timestamp|interval)$/;

/** The name of a type whose values nobody limits but PostgreSQL. */
function builtInOf(type: ColumnDef["typeName"]): string | undefined {
  const names = namesOf(type?.names);
  const name = names.length === 1 || names[0] === "pg_catalog" ? names.at(-1) : undefined;
  return name !== undefined && BUILT_IN.test(name) ? name : undefined;
}

/** By function without arguments, the types that take what it gives. */
const SAFE_FUNCTIONS: Readonly<Record<string, readonly string[]>> = {
  now: ["timestamptz", "timestamp", "date"],
  gen_random_uuid: ["uuid", "text"],
};

const isConstant = (node: Node): boolean => "A_Const" in node || ("A_ArrayExpr" in node && node.A_ArrayExpr.elements === undefined);
const isNull = (node: Node): boolean =>
  "TypeCast" in node ? node.TypeCast.arg !== undefined && isNull(node.TypeCast.arg) : "A_Const" in node && node.A_Const.isnull === true;

/** A constant is read once, by the migration, as long as no type of somebody's own reads it. */
function isSafeDefault(node: Node, type: string): boolean {
  if ("TypeCast" in node)
    return builtInOf(node.TypeCast.typeName) !== undefined && node.TypeCast.arg !== undefined && isConstant(node.TypeCast.arg);
  if (isConstant(node)) return true;
  if ("SQLValueFunction" in node) return (SAFE_FUNCTIONS.now as readonly string[]).includes(type);
  const called = "FuncCall" in node ? node.FuncCall : undefined;
  const [name = "", ...rest] = namesOf(called?.funcname);
  return rest.length === 0 && SAFE_FUNCTIONS[name]?.includes(type) === true && !called?.args;
}

/** Whether anything in a statement calls a function, at whatever depth. */
function calls(part: unknown): boolean {
  if (Array.isArray(part)) return part.some(calls);
  if (part === null || typeof part !== "object") return false;
  return "FuncCall" in part || Object.values(part).some(calls);
}
