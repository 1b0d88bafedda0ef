import assert from 'node:assert/strict';
import { PassThrough } from 'node:stream';
import { text } from 'node:stream/consumers';
import { test } from 'node:test';
import type { Terminal } from '../io.ts';
import { LivePrinter } from './live-printer.ts';
import type { Status } from './status.ts';

const status: Status = {
  state: 'online',
  nextTryMs: null,
  server: 'https://api.example.com',
  clientId: 600_000_001,
  anonymous: false,
  nodeId: 'node-001',
  region: 'default',
  transport: 'tls',
  latencyMs: 0.4,
  tunnels: [],
  connectionsOpen: 0,
  connectionsTotal: 0,
  bytesIn: 0,
  bytesOut: 0,
  notice: null,
  lastProblem: null,
};

test('LivePrinter draws over itself, leaves the last word below and shows the cursor again', async () => {
  const out: Terminal<PassThrough> = new PassThrough();
  out.columns = 80;
  const printer = new LivePrinter(out, false, () => status);
  printer.print({ event: 'connecting' });
  printer.print({ event: 'error', code: 'error', message: 'The end' });
  await printer.close();
  await printer.close();
  out.end();
  const written = await text(out);
  assert.equal(written.split('\x1b[7A\r').length - 1, 2);
  assert.ok(written.endsWith('\nerror: The end\n\x1b[?25h'));
});

test('LivePrinter goes up by the rows that a narrow terminal took', async () => {
  const out: Terminal<PassThrough> = new PassThrough();
  out.columns = 30;
  const tunnels = [{ from: [`https://${'a'.repeat(50)}.example`], to: 'x' }];
  const printer = new LivePrinter(out, false, () => ({ ...status, tunnels }));
  printer.print({ event: 'connecting' });
  await printer.close();
  out.end();
  assert.ok((await text(out)).includes('\x1b[10A\r'));
});
