import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { type AddressInfo, connect } from 'node:net';
import { buffer } from 'node:stream/consumers';

/** What the front does with queries: `serve` them, or fail in one of the ways in which resolvers fail. */
export type DohMode = 'serve' | 'hang' | 'error' | 'garbage' | 'cut';

export interface DohFront {
  /** `http://127.0.0.1:port/dns-query` */
  url: string;
  /** Queries that have come. */
  readonly queries: number;
  setMode: (mode: DohMode) => void;
  /** Called with each query before it is passed on, for tests that change something meanwhile; null: no more. */
  setBefore: (before: (() => Promise<void>) | null) => void;
  stop: () => Promise<void>;
}

/** Bits of a DNS message's third octet: the answer was cut off. */
const TRUNCATED = 0x02;
const ANSWER_TIMEOUT_MS = 5000;
const MEDIA_TYPE = 'application/dns-message';

/** DNS over HTTPS (RFC 8484, by POST, without the S) in front of a name server; messages pass through unparsed. */
export async function startDohFront(dnsPort: number): Promise<DohFront> {
  let mode: DohMode = 'serve';
  let queries = 0;
  let before: (() => Promise<void>) | null = null;
  const answer = async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
    const query = await buffer(request);
    queries += 1;
    await before?.();
    switch (mode) {
      case 'hang':
        return;
      case 'error':
        response.writeHead(502).end('no name server');
        return;
      case 'garbage':
        response.writeHead(200, { 'content-type': MEDIA_TYPE }).end(Buffer.alloc(40, 0xff));
        return;
      case 'serve':
      case 'cut': {
        if (request.method !== 'POST' || request.headers['content-type'] !== MEDIA_TYPE) {
          response.writeHead(415).end();
          return;
        }
        const overUdp = await askUdp(dnsPort, query);
        const whole = ((overUdp[2] ?? 0) & TRUNCATED) === 0 ? overUdp : await askTcp(dnsPort, query);
        const message = mode === 'cut' ? whole.subarray(0, whole.length - 3) : whole;
        response.writeHead(200, { 'content-type': MEDIA_TYPE }).end(message);
      }
    }
  };
  const server = createServer((request, response) => {
    answer(request, response).catch((error: unknown) => {
      if (!response.headersSent) response.writeHead(502);
      response.end(String(error));
    });
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/dns-query`,
    get queries() {
      return queries;
    },
    setMode: (wanted) => {
      mode = wanted;
    },
    setBefore: (wanted) => {
      before = wanted;
    },
    stop: async () => {
      server.closeAllConnections();
      server.close();
      await once(server, 'close');
    },
  };
}

async function askUdp(port: number, query: Buffer): Promise<Buffer> {
  const socket = createSocket('udp4');
  try {
    socket.connect(port, '127.0.0.1');
    await once(socket, 'connect');
    socket.send(query);
    const [message] = (await once(socket, 'message', { signal: AbortSignal.timeout(ANSWER_TIMEOUT_MS) })) as [Buffer];
    return message;
  } finally {
    socket.close();
  }
}

/** Each message has its length before it. RFC 1035, section 4.2.2. */
async function askTcp(port: number, query: Buffer): Promise<Buffer> {
  const socket = connect(port, '127.0.0.1');
  socket.setTimeout(ANSWER_TIMEOUT_MS, () => socket.destroy(new Error('The name server is silent')));
  try {
    const length = Buffer.alloc(2);
    length.writeUInt16BE(query.length);
    socket.write(Buffer.concat([length, query]));
    let received = Buffer.alloc(0);
    for await (const chunk of socket) {
      received = Buffer.concat([received, chunk as Buffer]);
      if (received.length >= 2 && received.length >= 2 + received.readUInt16BE(0)) break;
    }
    return received.subarray(2, 2 + received.readUInt16BE(0));
  } finally {
    socket.destroy();
  }
}
