import { connect, type Socket } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';
import { quantile } from '../stats.ts';
import { endWithParent, printJson, readParams } from './parent.ts';

/**
 * Keep-alive HTTP load, closed loop: each connection has one request on its way. Used where `wrk` is not installed.
 * Prints `{started}` when the clock starts, then `HttpResult`.
 */
export interface HttpParams {
  host: string;
  port: number;
  hostHeader: string;
  path: string;
  connections: number;
  warmupMs: number;
  measureMs: number;
}

export interface HttpResult {
  requests: number;
  seconds: number;
  p50Ms: number;
  p99Ms: number;
  /** Answers other than 2xx, and connections that broke. */
  errors: number;
}

const HEAD_END = Buffer.from('\r\n\r\n');
const STATUS_OFFSET = 'HTTP/1.1 '.length;
const STATUS_OK_CLASS = '2'.charCodeAt(0);

const params = readParams() as HttpParams;
const request = Buffer.from(`GET ${params.path} HTTP/1.1\r\nHost: ${params.hostHeader}\r\nAccept: */*\r\n\r\n`);
let latenciesMs: number[] = [];
let errors = 0;

endWithParent();
const sockets = Array.from({ length: params.connections }, open);
await delay(params.warmupMs);
printJson({ started: true });
latenciesMs = [];
errors = 0;
const startMs = performance.now();
await delay(params.measureMs);
const seconds = (performance.now() - startMs) / 1000;
const sorted = Float64Array.from(latenciesMs).sort();
const result: HttpResult = {
  requests: sorted.length,
  seconds,
  p50Ms: quantile(sorted, 0.5),
  p99Ms: quantile(sorted, 0.99),
  errors,
};
printJson(result);
for (const socket of sockets) socket.destroy();
process.exit(0);

function open(): Socket {
  const socket = connect({ host: params.host, port: params.port, noDelay: true });
  let head: Buffer | null = null;
  let bodyLeft = 0;
  let sentMs = 0;
  const send = () => {
    sentMs = performance.now();
    socket.write(request);
  };
  const broken = () => {
    errors += 1;
    socket.destroy();
  };
  const finish = () => {
    latenciesMs.push(performance.now() - sentMs);
    send();
  };
  socket.on('connect', send);
  socket.on('error', broken);
  socket.on('end', broken);
  socket.on('data', (chunk) => {
    if (bodyLeft > 0) {
      bodyLeft -= chunk.length;
      if (bodyLeft <= 0) finish();
      return;
    }
    const input: Buffer = head === null ? chunk : Buffer.concat([head, chunk]);
    const end = input.indexOf(HEAD_END);
    head = end === -1 ? input : null;
    if (end === -1) return;
    const length = /\r\ncontent-length: *(\d+)/i.exec(input.toString('latin1', 0, end))?.[1];
    if (length === undefined) {
      broken();
      return;
    }
    if (input[STATUS_OFFSET] !== STATUS_OK_CLASS) errors += 1;
    bodyLeft = Number(length) - (input.length - end - HEAD_END.length);
    if (bodyLeft <= 0) finish();
  });
  return socket;
}
