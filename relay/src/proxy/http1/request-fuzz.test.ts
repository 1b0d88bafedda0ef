import assert from 'node:assert/strict';
import { createServer, type IncomingMessage } from 'node:http';
import { Duplex } from 'node:stream';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { cut, readRequests } from '../test-support/read-requests.ts';

/** What Node's own parser (llhttp) sees in a connection. */
interface Seen {
  requests: { method: string; payload: string }[];
  error: boolean;
}

/** Feeds bytes to a Node HTTP server, as a target would get them. */
async function readByNode(text: string): Promise<Seen> {
  const seen: Seen = { requests: [], error: false };
  const server = createServer((request: IncomingMessage, response) => {
    const entry = { method: request.method ?? '', payload: '' };
    request.setEncoding('latin1');
    request.on('data', (chunk: string) => (entry.payload += chunk));
    request.on('end', () => {
      seen.requests.push(entry);
      response.end();
    });
  });
  // The end of the bytes does not abort what has been read.
  Object.assign(server, { httpAllowHalfOpen: true });
  server.on('connect', () => assert.fail('no CONNECT is forwarded'));
  server.on('checkContinue', (request, response) => server.emit('request', request, response));
  return new Promise((resolve) => {
    const socket = new Duplex({
      read() {},
      write: (_chunk, _encoding, done) => done(),
      final: (done) => done(),
    });
    server.on('clientError', () => {
      seen.error = true;
      socket.destroy();
    });
    socket.on('close', () => resolve(seen));
    server.emit('connection', socket);
    socket.push(Buffer.from(text, 'latin1'));
    socket.push(null);
  });
}

const METHODS = ['GET', 'POST', 'PUT', 'HEAD', 'DELETE', 'OPTIONS', 'PATCH'];

/** Pieces of which requests and attacks are made. */
const PIECES = [
  'Content-Length: 5\r\n',
  'Content-Length: 0\r\n',
  'Content-Length: 11\r\n',
  'Content-Length:5\r\n',
  'Content-Length : 5\r\n',
  'Content-Length: +5\r\n',
  'Content-Length: 5,5\r\n',
  'content_length: 5\r\n',
  'Transfer-Encoding: chunked\r\n',
  'Transfer-Encoding:\tchunked\r\n',
  'Transfer-Encoding: chunked\n',
  'Transfer-Encoding : chunked\r\n',
  'Transfer-Encoding: xchunked\r\n',
  'Transfer-Encoding: gzip, chunked\r\n',
  'Transfer-Encoding: chunked, identity\r\n',
  ' Transfer-Encoding: chunked\r\n',
  'X: y\r\n Transfer-Encoding: chunked\r\n',
  'X: y\rTransfer-Encoding: chunked\r\n',
  'Transfer\0-Encoding: chunked\r\n',
  'Connection: content-length\r\n',
  'Connection: transfer-encoding, close\r\n',
  'Connection: keep-alive\r\n',
  'Host: b.test\r\n',
  'Expect: 100-continue\r\n',
  'Upgrade: h2c\r\nConnection: Upgrade\r\n',
  'TE: trailers\r\n',
  'Trailer: X\r\n',
];
const BODIES = [
  '',
  'hello',
  '0\r\n\r\n',
  '5\r\nhello\r\n0\r\n\r\n',
  '5;ext=1\r\nhello\r\n0\r\nX: y\r\n\r\n',
  '5\r\nhello\r\n0\r\nContent-Length: 3\r\n\r\n',
  '5\nhello\r\n0\r\n\r\n',
  '05\r\nhello\r\n00\r\n\r\n',
  '5 \r\nhello\r\n0\r\n\r\n',
  'ffffffffffffffff5\r\nhello\r\n0\r\n\r\n',
  '0\r\n\r\nGET /smuggled HTTP/1.1\r\nHost: a.test\r\n\r\n',
  'GET /smuggled HTTP/1.1\r\nHost: a.test\r\n\r\n',
];

const request = fc
  .tuple(
    fc.constantFrom(...METHODS),
    fc.constantFrom('1.1', '1.1', '1.1', '1.0'),
    fc.array(fc.constantFrom(...PIECES), { maxLength: 3 }),
    fc.constantFrom(...BODIES),
  )
  .map(
    ([method, version, fields, body]) =>
      `${method} /x HTTP/${version}\r\nHost: a.test\r\n${fields.join('')}\r\n${body}`,
  );

type Mutation = (text: string) => string;

const mutation: fc.Arbitrary<Mutation> = fc.oneof(
  fc
    .tuple(
      fc.nat(),
      fc.constantFrom('\r', '\n', '\r\n', ' ', '\t', '\0', ':', ',', ';', '0', '\x0b', '\x85', '\xa0', ''),
    )
    .map(
      ([at, inserted]): Mutation =>
        (text) =>
          text.slice(0, at % (text.length + 1)) + inserted + text.slice(at % (text.length + 1)),
    ),
  fc.nat().map(
    (at): Mutation =>
      (text) =>
        text.slice(0, at % text.length) + text.slice((at % text.length) + 1),
  ),
  fc.tuple(fc.nat(), fc.nat(255)).map(
    ([at, byte]): Mutation =>
      (text) =>
        text.slice(0, at % text.length) + String.fromCharCode(byte) + text.slice((at % text.length) + 1),
  ),
);

const stream = fc
  .tuple(fc.array(request, { minLength: 1, maxLength: 3 }), fc.array(mutation, { maxLength: 3 }))
  .map(([requests, mutations]) =>
    mutations.reduce((text, mutate) => (text === '' ? text : mutate(text)), requests.join('')),
  );

describe('reading of requests', () => {
  it('sees the same requests and the same error however the bytes are cut', () => {
    fc.assert(
      fc.property(stream, fc.array(fc.nat(2000), { maxLength: 30 }), (text, cuts) => {
        const bytes = Buffer.from(text, 'latin1');
        const one = readRequests([bytes]);
        const many = readRequests(cut(bytes, cuts));
        const each = readRequests(cut(bytes, [...bytes.keys()]));
        assert.deepEqual(many, one);
        assert.deepEqual(each, one);
      }),
      { numRuns: 2000 },
    );
  });

  it('never fails in another way than with an error of its own, whatever comes', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 300 }), fc.array(fc.nat(300), { maxLength: 5 }), (bytes, cuts) => {
        readRequests(cut(Buffer.from(bytes), cuts));
      }),
      { numRuns: 2000 },
    );
  });

  it('forwards what another parser (llhttp) reads as the same requests with the same bodies, and nothing more', async () => {
    await fc.assert(
      fc.asyncProperty(stream, async (text) => {
        const { requests } = readRequests([Buffer.from(text, 'latin1')]);
        // A method that the other parser does not know says nothing about framing.
        fc.pre(requests.every(({ method }) => METHODS.includes(method)));
        // It ends a connection after Connection: close and after HTTP/1.0; such requests are its last ones.
        for (const { method, payload, forwarded } of requests) {
          const seen = await readByNode(forwarded);
          assert.deepEqual(seen, { requests: [{ method, payload }], error: false }, JSON.stringify(forwarded));
        }
        const seen = await readByNode(requests.map(({ forwarded }) => forwarded).join(''));
        assert.equal(seen.error, false);
        assert.deepEqual(
          seen.requests,
          requests.map(({ method, payload }) => ({ method, payload })),
        );
      }),
      { numRuns: 1500 },
    );
  });
});
