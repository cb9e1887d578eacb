// Whether the previous release works with what a migration leaves (docs/decisions/0017). The list below is short, and of what it certainly
// works with, read by PostgreSQL's own parser; a statement that is not on it needs a comment, in which a person says why it is safe.
import { type ColumnDef, type Constraint, type Node, parse, type RangeVar } from "libpg-query";

type Statement<Name extends string> = Node extends infer Each ? (Each extends { [key in Name]: infer Fields } ? Fields : never) : never;

/**
 * Every statement of a migration that may break the previous release. The last line in front of a statement permits it, if it is a comment
 * that names the earlier release which stopped using what it changes, or says why it breaks nothing.
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
    const why = migration.whyBreaking(stmt as Node);
    if (why === undefined) return [];
    const place = `${file}, line ${text(0, start).split("\n").length},`;
    const comment = comments.trimEnd().split("\n").at(-1) ?? "";
    const unused = /^\s*--\s*contract: unused since (\S+)/.exec(comment)?.[1];
    const reason = /^\s*--\s*safe: (.+)/.exec(comment)?.[1] ?? "";
    if (reason.trim().length >= LEAST_REASON) return [];
    if (unused === undefined) return [`${place} ${why}. ${WAYS}`];
    if (unused === release) return [`${place} ${why}. This release still has to leave it alone; the next may contract it.`];
    if (!releases.includes(unused))
      return [`${place} ${why}. ${unused} is no release before ${release}: name the one that stopped using it.`];
    return changesSeveral(stmt as Node) ? [`${place} changes several things under one comment: write a statement for each.`] : [];
  });
}

const LEAST_REASON = 20;
const WAYS =
  'Expand now and contract a release later, marked "-- contract: unused since RELEASE"; or say in "-- safe: REASON" why it breaks nothing.';

function changesSeveral(statement: Node): boolean {
  if ("AlterTableStmt" in statement) return (statement.AlterTableStmt.cmds ?? []).length > 1;
  return "DropStmt" in statement && (statement.DropStmt.objects ?? []).length > 1;
}

const KNOWN = "is not known to leave the previous release working";

/** One migration, statement by statement: what it has made itself, the previous release does not use. */
class Migration {
  private readonly tables = new Set<string>();
  /** Columns that are null in every row that the previous release writes, as table and column. */
  private readonly nulls = new Set<string>();
  /** Those of which something was said to be safe because they are null. */
  private readonly reliedOn = new Set<string>();

  whyBreaking(statement: Node): string | undefined {
    const [[name, fields]] = Object.entries(statement) as [[string, unknown]];
    switch (name) {
      case "CreateStmt":
        return this.whyCreateBreaks(fields as Statement<"CreateStmt">);
      case "AlterTableStmt":
        return this.whyAlterBreaks(fields as Statement<"AlterTableStmt">);
      case "IndexStmt":
        return this.whyIndexBreaks(fields as Statement<"IndexStmt">);
      case "InsertStmt":
      case "DeleteStmt": {
        const { relation, withClause } = fields as Statement<"InsertStmt">; // a part of WITH may change another table
        if (calls(fields)) return "calls functions, which may change anything";
        return this.isNew(relation) && !withClause ? undefined : "changes rows that the previous release uses";
      }
      case "UpdateStmt": {
        const { relation, targetList = [], withClause } = fields as Statement<"UpdateStmt">;
        const sets = targetList.map((target) => ("ResTarget" in target ? target.ResTarget.name : undefined));
        if (calls(fields)) return "calls functions, which may change anything";
        const keys = sets.map((column) => `${keyOf(relation)}.${column}`);
        const fills = keys.every((key) => this.nulls.has(key) && !this.reliedOn.has(key));
        for (const key of keys) this.nulls.delete(key);
        return (fills || this.isNew(relation)) && !withClause ? undefined : "changes rows that the previous release uses";
      }
      case "CreateFunctionStmt":
        return "makes a function, which may be found in the place of another (functions are files of their own, in prisma/functions)";
      case "ViewStmt":
        return (fields as { replace?: boolean }).replace ? "may replace something the previous release uses" : undefined;
      case "CreateSchemaStmt": {
        const { schemaElts = [] } = fields as Statement<"CreateSchemaStmt">;
        return schemaElts.length === 0 ? undefined : "makes things within a schema, which are read only in statements of their own";
      }
      case "CreateExtensionStmt":
      case "CreateSeqStmt":
      case "CreateEnumStmt":
      case "CommentStmt":
        return undefined;
      case "DropStmt":
        return "drops something the previous release uses";
      case "TruncateStmt":
        return "empties a table the previous release uses";
      case "RenameStmt":
        return "renames something the previous release uses";
      case "DoStmt":
        return "runs a block of code, which may do anything";
      default:
        return `has a statement (${name}) that ${KNOWN}`;
    }
  }

  private isNew(table: RangeVar | undefined): boolean {
    return this.tables.has(keyOf(table));
  }

  private whyCreateBreaks({ relation, tableElts = [], inhRelations = [], if_not_exists: mayExist }: Statement<"CreateStmt">) {
    if (inhRelations.length > 0) return "adds rows to a table the previous release reads";
    if (mayExist) return "may find another table of that name (leave out IF NOT EXISTS)";
    this.tables.add(keyOf(relation));
    const columns = tableElts.flatMap((part) => ("ColumnDef" in part ? [part.ColumnDef] : []));
    for (const column of columns) this.noteNull(relation, column);
    const constraints = tableElts.flatMap((part) => ("Constraint" in part ? [part.Constraint] : []));
    for (const constraint of constraints) this.noteConstraint(relation, constraint);
    return [...columns.flatMap(referencesOf), ...constraints]
      .map((constraint) => this.whyReferenceBreaks(relation, constraint))
      .find((why) => why !== undefined);
  }

  /** The table's own rows are its own; what it asks of the rows of other tables is not. */
  private whyNewBreaks(table: RangeVar | undefined, { subtype = "AT_AddColumn", def }: Statement<"AlterTableCmd">): string | undefined {
    if (subtype === "AT_AddInherit" || subtype === "AT_AttachPartition") return "adds rows to a table the previous release reads, or rules";
    if (subtype === "AT_SetNotNull") return this.whyFilled(table);
    if (!def) return undefined;
    if ("Constraint" in def) {
      const { contype } = def.Constraint;
      this.noteConstraint(table, def.Constraint);
      return contype === "CONSTR_FOREIGN" ? this.whyReferenceBreaks(table, def.Constraint) : this.whyFilled(table);
    }
    if (!("ColumnDef" in def)) return undefined;
    this.noteNull(table, def.ColumnDef);
    return referencesOf(def.ColumnDef)
      .map((constraint) => this.whyReferenceBreaks(table, constraint))
      .find((why) => why !== undefined);
  }

  private noteNull(table: RangeVar | undefined, column: ColumnDef): void {
    const isNull = constraintsOf(column).every(({ contype }) => contype === "CONSTR_NULL" || contype === "CONSTR_FOREIGN");
    if (isNull && !SERIAL.test(typeOf(column))) this.nulls.add(`${keyOf(table)}.${column.colname}`);
  }

  /** A key of the table is never null, and a check may say anything of any column. */
  private noteConstraint(table: RangeVar | undefined, { contype, keys = [] }: Constraint): void {
    const prefix = `${keyOf(table)}.`;
    if (contype === "CONSTR_CHECK") for (const key of [...this.nulls]) if (key.startsWith(prefix)) this.nulls.delete(key);
    if (contype === "CONSTR_PRIMARY") for (const key of keys) if ("String" in key) this.nulls.delete(`${prefix}${key.String.sval}`);
  }

  private whyFilled(table: RangeVar | undefined): string | undefined {
    const isReliedOn = [...this.reliedOn].some((key) => key.startsWith(`${keyOf(table)}.`));
    return isReliedOn ? "forbids nulls in a table of which a column is set to null when another row goes" : undefined;
  }

  private whyAlterBreaks({ relation, cmds = [], objtype }: Statement<"AlterTableStmt">): string | undefined {
    const isNew = objtype === "OBJECT_TABLE" && this.isNew(relation);
    for (const each of cmds) {
      const command = (each as { AlterTableCmd: Statement<"AlterTableCmd"> }).AlterTableCmd;
      const { subtype, def, missing_ok: mayExist } = command;
      const why = isNew
        ? this.whyNewBreaks(relation, command)
        : subtype === "AT_AddColumn" && def && "ColumnDef" in def && !mayExist
          ? this.whyColumnBreaks(relation, def.ColumnDef)
          : subtype === "AT_AddConstraint" && def && "Constraint" in def
            ? this.whyConstraintBreaks(relation, def.Constraint)
            : (ALTERATIONS[subtype ?? ""] ?? `alters a table in a way (${subtype}) that ${KNOWN}`);
      if (why !== undefined) return why;
    }
    return undefined;
  }

  private whyColumnBreaks(table: RangeVar | undefined, column: ColumnDef): string | undefined {
    const constraints = constraintsOf(column);
    const has = (type: Constraint["contype"]) => constraints.find(({ contype }) => contype === type);
    const given = constantOf(has("CONSTR_DEFAULT")?.raw_expr);
    if (given && !isSafeDefault(given, typeOf(column)))
      return "computes a value for each row that the previous release writes, which may fail (give it a constant)";
    const hasDefault = given !== undefined && !("A_Const" in given && given.A_Const.isnull);
    const isNumbered = has("CONSTR_IDENTITY") !== undefined || SERIAL.test(typeOf(column));
    if ((has("CONSTR_NOTNULL") ?? has("CONSTR_PRIMARY")) && !hasDefault && !isNumbered)
      return "requires a value the previous release does not write (give it a DEFAULT)";
    if (!hasDefault && !isNumbered && !has("CONSTR_GENERATED")) this.nulls.add(`${keyOf(table)}.${column.colname}`);
    const name = { String: { sval: column.colname as string } };
    return constraints
      .filter(({ contype }) => !HARMLESS.has(contype) && !(isNumbered && (contype === "CONSTR_UNIQUE" || contype === "CONSTR_PRIMARY")))
      .map((constraint) => this.whyConstraintBreaks(table, { ...constraint, keys: [name], fk_attrs: [name] }))
      .find((why) => why !== undefined);
  }

  private whyConstraintBreaks(table: RangeVar | undefined, constraint: Constraint): string | undefined {
    const { contype, keys = [], fk_attrs: references = [], nulls_not_distinct: once, fk_matchtype: match } = constraint;
    if (contype === "CONSTR_UNIQUE" && !once && this.someIsNull(table, keys)) return undefined;
    if (contype === "CONSTR_FOREIGN" && match !== "f" && this.someIsNull(table, references))
      return this.whyReferenceBreaks(table, constraint);
    return "adds a constraint that the previous release may not keep";
  }

  private whyReferenceBreaks(table: RangeVar | undefined, constraint: Constraint): string | undefined {
    const { contype, pktable, fk_attrs: columns = [], pk_attrs: keys = [] } = constraint;
    const { fk_del_action: atDelete = "a", fk_upd_action: atUpdate = "a" } = constraint;
    if (contype !== "CONSTR_FOREIGN") return undefined;
    const isOfId = keys.length === 0 || keys.every((key) => "String" in key && key.String.sval === "id");
    if (atUpdate !== "c" && !isOfId)
      return `keeps the previous release from changing what is referred to in ${pktable?.relname} (refer to its id, or add ON UPDATE CASCADE)`;
    if (atDelete === "c") return undefined;
    if (atDelete === "n" && columns.every((column) => this.someIsNull(table, [column]))) return undefined;
    // A new table may be reached as well: rows of it go with those of an old one.
    return `keeps the previous release from deleting rows of ${pktable?.relname} (add ON DELETE CASCADE, or SET NULL where all columns may be null)`;
  }

  private whyIndexBreaks({ relation, unique, indexParams = [], whereClause, nulls_not_distinct: once }: Statement<"IndexStmt">) {
    if (this.isNew(relation)) return undefined;
    const names = indexParams.map((part) => ("IndexElem" in part ? part.IndexElem.name : undefined));
    if (names.includes(undefined) || (whereClause && !isPlain(whereClause)))
      return "computes something of each row that the previous release writes, which may fail (index columns, and compare them with constants)";
    const columns = names.map((name) => ({ String: { sval: name } }) as Node);
    if (!columns.every((column) => this.someIsNull(relation, [column])) && !unique)
      return "keeps the previous release from writing long values, as an entry of an index has at most 2,704 bytes";
    return !unique || (!once && this.someIsNull(relation, columns))
      ? undefined
      : "requires values to be unique that the previous release may write twice";
  }

  /** Whether what is asked of those columns together is asked of no row of the previous release, as one of them is null. */
  private someIsNull(table: RangeVar | undefined, columns: readonly Node[]): boolean {
    const keys = columns.flatMap((column) => ("String" in column ? [`${keyOf(table)}.${column.String.sval}`] : []));
    const found = keys.filter((key) => this.nulls.has(key));
    for (const key of found) this.reliedOn.add(key);
    return found.length > 0;
  }
}

const ALTERATIONS: Readonly<Record<string, string>> = {
  AT_DropColumn: "drops something the previous release uses",
  AT_DropConstraint: "drops something the previous release uses",
  AT_AlterColumnType: "changes the type of a column the previous release uses",
  AT_SetNotNull: "requires a value the previous release may not write",
  AT_ColumnDefault: "changes what a column holds that the previous release does not write",
};

const HARMLESS: ReadonlySet<Constraint["contype"]> = new Set(["CONSTR_NULL", "CONSTR_NOTNULL", "CONSTR_DEFAULT", "CONSTR_IDENTITY"]);

const keyOf = (table: RangeVar | undefined): string => [table?.schemaname, table?.relname].join(".");

const constraintsOf = ({ constraints = [] }: ColumnDef): Constraint[] =>
  constraints.flatMap((each) => ("Constraint" in each ? [each.Constraint] : []));

/** What a column refers to, with the column itself, as a constraint of the table names it. */
const referencesOf = (column: ColumnDef): Constraint[] =>
  constraintsOf(column).map((constraint) => ({ ...constraint, fk_attrs: [{ String: { sval: column.colname as string } }] }));

const COMPARISONS: ReadonlySet<string> = new Set(["=", "<>", "<", ">", "<=", ">="]);

/** Whether an expression only compares columns and constants, which never fails. */
function isPlain(node: Node): boolean {
  const all = (nodes: readonly (Node | undefined)[] = []) => nodes.every((each) => each && isPlain(each));
  if ("ColumnRef" in node || "A_Const" in node) return true;
  if ("TypeCast" in node) return node.TypeCast.arg !== undefined && "A_Const" in node.TypeCast.arg; // it is read once, by the migration
  if ("BooleanTest" in node) return all([node.BooleanTest.arg]);
  if ("BoolExpr" in node) return all(node.BoolExpr.args);
  if ("NullTest" in node) return all([node.NullTest.arg]);
  if ("List" in node) return all(node.List.items);
  if (!("A_Expr" in node)) return false;
  const { name = [], lexpr, rexpr } = node.A_Expr;
  return name.every((each) => "String" in each && COMPARISONS.has(each.String.sval ?? "")) && all([lexpr, rexpr]);
}

/** What a value is before it is cast. */
const constantOf = (node: Node | undefined): Node | undefined => (node && "TypeCast" in node ? constantOf(node.TypeCast.arg) : node);

/** By function without arguments, the types that take what it gives. */
const SAFE_FUNCTIONS: Readonly<Record<string, readonly string[]>> = {
  now: ["timestamptz", "timestamp", "date"],
  gen_random_uuid: ["uuid", "text"],
};

function isSafeDefault(node: Node, type: string): boolean {
  if ("A_Const" in node) return true;
  if ("A_ArrayExpr" in node) return node.A_ArrayExpr.elements === undefined;
  if ("SQLValueFunction" in node) return (SAFE_FUNCTIONS.now as readonly string[]).includes(type);
  const called = "FuncCall" in node ? node.FuncCall : undefined;
  const [name] = called?.funcname?.slice(-1) ?? [];
  const takes = name && "String" in name ? SAFE_FUNCTIONS[name.String.sval ?? ""] : undefined;
  return takes?.includes(type) === true && !called?.args;
}

/** Whether anything in a statement calls a function, at whatever depth. */
function calls(part: unknown): boolean {
  if (Array.isArray(part)) return part.some(calls);
  if (part === null || typeof part !== "object") return false;
  return "FuncCall" in part || Object.values(part).some(calls);
}

const SERIAL = /^(small|big)?serial\d?$/;

function typeOf({ typeName }: ColumnDef): string {
  const [name] = typeName?.names?.slice(-1) ?? [];
  return name && "String" in name ? (name.String.sval ?? "") : "";
}
