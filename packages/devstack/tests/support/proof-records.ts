import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { buffer } from 'node:stream/consumers';

/** DNS over HTTPS for names of which the owners have done what they were told. */
export interface ProofRecords {
  /** For `DNS_RESOLVER_URL`. */
  url: string;
  stop: () => Promise<void>;
}

const HEADER_BYTES = 12;
const TXT = 16;
const MEDIA_TYPE = 'application/dns-message';

/**
 * Answers queries with records of type TXT.
 *
 * @param valuesOf What stands at a name; an empty list: there is nothing.
 */
export async function startProofRecords(valuesOf: (name: string) => Promise<string[]>): Promise<ProofRecords> {
  const server = createServer((request, response) => {
    buffer(request)
      .then(async (query) => {
        const { name, type, end } = readQuestion(query);
        const values = type === TXT ? await valuesOf(name) : [];
        response.writeHead(200, { 'content-type': MEDIA_TYPE }).end(answerOf(query.subarray(0, end), values));
      })
      .catch((error: unknown) => response.writeHead(502).end(String(error)));
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/dns-query`,
    stop: async () => {
      server.close();
      server.closeAllConnections();
      await once(server, 'close');
    },
  };
}

/** @see RFC 1035, section 4.1.2 */
function readQuestion(query: Buffer): { name: string; type: number; end: number } {
  const labels: string[] = [];
  let at = HEADER_BYTES;
  for (let length = query.readUInt8(at); length > 0; length = query.readUInt8(at)) {
    labels.push(query.toString('latin1', at + 1, at + 1 + length));
    at += 1 + length;
  }
  return { name: labels.join('.').toLowerCase(), type: query.readUInt16BE(at + 1), end: at + 5 };
}

/** @see RFC 1035, section 4.1.3 */
function answerOf(question: Buffer, values: string[]): Buffer {
  const head = Buffer.from(question);
  // An answer, by a resolver that has looked everywhere; one question, nothing further.
  head.writeUInt16BE(0x81_80, 2);
  head.writeUInt16BE(values.length, 6);
  head.writeUInt32BE(0, 8);
  const records = values.map((value) => {
    const text = Buffer.from(value, 'latin1');
    const record = Buffer.alloc(13);
    // The name is that of the question.
    record.writeUInt16BE(0xc0_00 + HEADER_BYTES, 0);
    record.writeUInt16BE(TXT, 2);
    record.writeUInt16BE(1, 4);
    record.writeUInt32BE(60, 6);
    record.writeUInt16BE(text.length + 1, 10);
    record.writeUInt8(text.length, 12);
    return Buffer.concat([record, text]);
  });
  return Buffer.concat([head, ...records]);
}
