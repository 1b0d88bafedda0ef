import type { Client } from 'pg';

/** A row as text, by column; null is null. */
export type Row = Record<string, string | null>;

/** Tables of the schema `public`, those before that others refer to. */
export async function listTables(database: Client): Promise<string[]> {
  const { rows } = await database.query<{ name: string; needs: string[] }>(
    `select c.relname as name, array(
       select distinct f.confrelid::regclass::text from pg_constraint f
       where f.conrelid = c.oid and f.contype = 'f' and f.confrelid <> c.oid) as needs
     from pg_class c where c.relnamespace = 'public'::regnamespace and c.relkind = 'r' order by c.relname`,
  );
  const sorted: string[] = [];
  const left = new Map(rows.map(({ name, needs }) => [name, needs]));
  while (left.size > 0) {
    const ready = [...left].filter(([, needs]) => needs.every((need) => sorted.includes(need)));
    if (ready.length === 0) throw new Error(`Cannot sort tables that refer to each other: ${[...left.keys()].join()}`);
    for (const [name] of ready) {
      sorted.push(name);
      left.delete(name);
    }
  }
  return sorted;
}

export async function listColumns(database: Client, table: string): Promise<string[]> {
  const { rows } = await database.query<{ column_name: string }>(
    `select column_name from information_schema.columns where table_schema = 'public' and table_name = $1
     order by ordinal_position`,
    [table],
  );
  return rows.map((row) => row.column_name);
}

/** All rows of a table in a fixed order. @param columns Absent: all. */
export async function readRows(database: Client, table: string, columns?: string[]): Promise<Row[]> {
  const names = columns ?? (await listColumns(database, table));
  const texts = names.map((name) => `"${name}"::text as "${name}"`).join(', ');
  const { rows } = await database.query<Row>(`select ${texts} from "${table}" t order by t::text collate "C"`);
  // In an order that new columns do not change.
  return rows.sort((a, b) => (JSON.stringify(a) < JSON.stringify(b) ? -1 : 1));
}

export interface Everything {
  tables: Record<string, Row[]>;
  columns: unknown[];
  constraints: unknown[];
  indexes: unknown[];
  sequences: unknown[];
  migrations: unknown[];
}

/** All that is in the database: rows, and what the catalogue says of tables, constraints, indexes and sequences. */
export async function readEverything(database: Client): Promise<Everything> {
  const tables: Record<string, Row[]> = {};
  for (const table of await listTables(database)) tables[table] = await readRows(database, table);
  const list = async (text: string) => (await database.query(text)).rows as unknown[];
  return {
    tables,
    columns: await list(
      `select table_name, column_name, data_type, is_nullable, column_default from information_schema.columns
       where table_schema = 'public' order by 1, ordinal_position`,
    ),
    constraints: await list(
      `select conrelid::regclass::text as on, conname, pg_get_constraintdef(oid) as is from pg_constraint
       where connamespace = 'public'::regnamespace order by 1, 2`,
    ),
    indexes: await list(`select indexname, indexdef from pg_indexes where schemaname = 'public' order by 1`),
    sequences: await list(
      `select sequencename, last_value::text, start_value::text, increment_by::text from pg_sequences
       where schemaname = 'public' order by 1`,
    ),
    migrations: await list('select id, hash, created_at::text from drizzle.__drizzle_migrations order by id'),
  };
}

/** SQL that makes the rows and the state of the sequences again, in a database with the same schema. */
export async function dumpSql(database: Client): Promise<string> {
  const tables = await listTables(database);
  const lines = [`truncate ${tables.map((table) => `"${table}"`).join(', ')};`];
  for (const table of tables) {
    const columns = await listColumns(database, table);
    const into = `insert into "${table}" (${columns.map((name) => `"${name}"`).join(', ')}) overriding system value`;
    for (const row of await readRows(database, table, columns)) {
      lines.push(`${into} values (${columns.map((name) => literal(row[name] ?? null)).join(', ')});`);
    }
  }
  const { rows } = await database.query<{ sequencename: string; last_value: string }>(
    `select sequencename, last_value::text from pg_sequences
     where schemaname = 'public' and last_value is not null order by 1`,
  );
  for (const { sequencename, last_value } of rows) lines.push(`select setval('"${sequencename}"', ${last_value});`);
  return `${lines.join('\n')}\n`;
}

function literal(text: string | null): string {
  if (text === null) return 'null';
  return text.includes('\\')
    ? ` E'${text.replaceAll('\\', '\\\\').replaceAll("'", "''")}'`
    : `'${text.replaceAll("'", "''")}'`;
}
