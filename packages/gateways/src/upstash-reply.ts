/** A Redis reply as JSON: a nil is null, an integer a number, everything else text or lists. */
export type JsonReply = string | number | null | JsonReply[] | { error: string };

/**
 * Turns a reply (as `ioredis` gives it with buffers) into Upstash's JSON.
 *
 * @param base64 Texts as base64 (`Upstash-Encoding: base64`), but for a reply that is just `OK`: clients test for it.
 */
export function toJsonReply(reply: unknown, base64: boolean): JsonReply {
  return isText(reply) && String(reply) === 'OK' ? 'OK' : encode(reply, base64);
}

function encode(reply: unknown, base64: boolean): JsonReply {
  if (reply === null || reply === undefined) return null;
  if (typeof reply === 'number') return reply;
  if (typeof reply === 'bigint') return String(reply);
  if (Array.isArray(reply)) return reply.map((element) => encode(element, base64));
  if (reply instanceof Error) return { error: reply.message };
  if (isText(reply)) return base64 ? Buffer.from(reply as string).toString('base64') : String(reply);
  throw new TypeError(`Cannot encode a Redis reply of type ${typeof reply}`);
}

function isText(reply: unknown): reply is string | Buffer {
  return typeof reply === 'string' || Buffer.isBuffer(reply);
}
