import assert from 'node:assert/strict';
import { test } from 'node:test';
import pico from 'picocolors';
import { bytesText, type Status, statusLines } from './status.ts';

const plain = pico.createColors(false);
const status: Status = {
  state: 'online',
  nextTryMs: null,
  server: 'https://api.example.com',
  clientId: 200_000_001,
  anonymous: true,
  nodeId: 'node-002',
  region: 'fra',
  transport: 'ws',
  latencyMs: 12.4,
  tunnels: [{ from: ['http://a.example.com', 'https://a.example.com'], to: 'http://localhost:3000' }],
  connectionsOpen: 2,
  connectionsTotal: 7,
  bytesIn: 1536,
  bytesOut: 5 * 1024 ** 3,
  notice: null,
  lastProblem: { message: 'Nothing listens\nsecond line', at: new Date(2026, 0, 1, 9, 8, 7) },
};

test('statusLines() shows where the tunnel leads and how it stands', () => {
  assert.deepEqual(statusLines(status, 100, plain), [
    'tunnox  Ctrl-C stops',
    '',
    'Status       online',
    'Client       200000001 (anonymous, for 24 hours) at https://api.example.com',
    'Relay        node-002, fra, by WebSocket, 12 ms',
    'Forwarding   http://a.example.com → http://localhost:3000',
    '             https://a.example.com → http://localhost:3000',
    'Connections  2 open, 7 in all',
    'Traffic      1.5 KiB in, 5.0 GiB out',
    'Last problem 09:08:07 Nothing listens',
  ]);
});

test('statusLines() says when it is tried next, unless that is at once', () => {
  const shown = (nextTryMs: number | null) =>
    statusLines({ ...status, state: 'reconnecting', nextTryMs }, 100, plain)[2];
  assert.equal(shown(11_200), 'Status       reconnecting, next try in 12 s');
  for (const nextTryMs of [2000, 0, null]) assert.equal(shown(nextTryMs), 'Status       reconnecting');
});

test('statusLines() keeps to the width of the terminal, but never cuts an address', () => {
  for (const line of statusLines(status, 40, plain)) assert.ok(line.length <= 40, line);
  const long = { from: [`https://${'a'.repeat(60)}.example.com`], to: 'http://localhost:3000' };
  const lines = statusLines({ ...status, tunnels: [long] }, 40, plain);
  assert.ok(lines.some((line) => line.endsWith('.example.com')));
});

test('bytesText() rounds to three digits at the most', () => {
  const table: [number, string][] = [
    [0, '0 B'],
    [1023, '1023 B'],
    [1024, '1.0 KiB'],
    [150 * 1024, '150 KiB'],
    [2 ** 60, '1048576 TiB'],
  ];
  for (const [bytes, shown] of table) assert.equal(bytesText(bytes), shown);
});
