import type { QueryArrayResult } from 'pg';
import type { NeonQuery } from './neon-request.ts';

/** A result as Neon's HTTP protocol has it; `rows` are arrays when `rowAsArray`. */
export interface NeonResult {
  command: string;
  rowCount: number | null;
  fields: {
    name: string;
    tableID: number;
    columnID: number;
    dataTypeID: number;
    dataTypeSize: number;
    dataTypeModifier: number;
    format: string;
  }[];
  rows: unknown[];
  rowAsArray: boolean;
}

/** Types whose values are JSON values when no raw text is asked for; every other one stays text. */
const JSON_READERS: Readonly<Record<number, (text: string) => unknown>> = {
  16: (text) => text === 't', // bool
  21: Number, // int2
  23: Number, // int4
  26: Number, // oid
  114: JSON.parse, // json
  700: numberOrText, // float4
  701: numberOrText, // float8
  3802: JSON.parse, // jsonb
};

/** @param result Rows as arrays of Postgres' text output. */
export function toNeonResult(
  result: QueryArrayResult<(string | null)[]>,
  query: NeonQuery,
  rawText: boolean,
): NeonResult {
  const readers = result.fields.map(({ dataTypeID }) => (rawText ? undefined : JSON_READERS[dataTypeID]));
  const values = result.rows.map((row) =>
    row.map((text, column) => (text === null ? null : (readers[column]?.(text) ?? text))),
  );
  const rows = query.arrayMode
    ? values
    : values.map((row) => Object.fromEntries(row.map((value, column) => [result.fields[column]?.name ?? '', value])));
  return {
    command: result.command,
    rowCount: result.rowCount,
    fields: result.fields.map(({ name, tableID, columnID, dataTypeID, dataTypeSize, dataTypeModifier, format }) => ({
      name,
      tableID,
      columnID,
      dataTypeID,
      dataTypeSize,
      dataTypeModifier,
      format,
    })),
    rows,
    rowAsArray: query.arrayMode,
  };
}

/** `NaN` and the infinities have no JSON number. */
function numberOrText(text: string): number | string {
  const value = Number(text);
  return Number.isFinite(value) ? value : text;
}
