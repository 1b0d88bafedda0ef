import { TunnoxError } from '@tunnox/domain/tunnox-error';
import type { z } from 'zod';

/** More than any valid body of the relay and agent APIs. */
const BODY_BYTES_MAX = 1_048_576;

/**
 * Reads a JSON body and checks it.
 *
 * @throws {TunnoxError} `too_large`, `malformed`, or `invalid` with a JSON pointer for each fault
 */
export async function parseBody<Schema extends z.ZodType>(request: Request, schema: Schema): Promise<z.output<Schema>> {
  const bytes = await readBody(request);
  let value: unknown;
  try {
    value = JSON.parse(new TextDecoder('utf-8', { fatal: true, ignoreBOM: false }).decode(bytes));
  } catch (cause) {
    throw new TunnoxError('malformed', 'The body is not JSON', { cause });
  }
  return parseValue(value, schema);
}

/** Checks a value, such as the query. @throws {TunnoxError} `invalid` */
export function parseValue<Schema extends z.ZodType>(value: unknown, schema: Schema): z.output<Schema> {
  const parsed = schema.safeParse(value);
  if (parsed.success) return parsed.data;
  const faults = parsed.error.issues.map(({ path, message }) => ({
    pointer: path.map((step) => `/${String(step).replaceAll('~', '~0').replaceAll('/', '~1')}`).join(''),
    detail: message,
  }));
  const first = faults[0];
  throw new TunnoxError('invalid', first === undefined ? 'The request is not valid' : describe(first), {
    details: { errors: faults },
  });
}

function describe({ pointer, detail }: { pointer: string; detail: string }): string {
  return pointer === '' ? detail : `${pointer.slice(1)}: ${detail}`;
}

/** The length is counted while reading: the header need not be there, or true. */
async function readBody(request: Request): Promise<Uint8Array> {
  const chunks: Uint8Array[] = [];
  let length = 0;
  if (request.body !== null) {
    for await (const chunk of request.body as ReadableStream<Uint8Array>) {
      length += chunk.length;
      if (length > BODY_BYTES_MAX) {
        throw new TunnoxError('too_large', `The body is larger than ${BODY_BYTES_MAX} bytes`);
      }
      chunks.push(chunk);
    }
  }
  const bytes = new Uint8Array(length);
  let offset = 0;
  for (const chunk of chunks) {
    bytes.set(chunk, offset);
    offset += chunk.length;
  }
  return bytes;
}
