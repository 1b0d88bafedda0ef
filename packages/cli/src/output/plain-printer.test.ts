import assert from 'node:assert/strict';
import { PassThrough } from 'node:stream';
import { text } from 'node:stream/consumers';
import { test } from 'node:test';
import { PlainPrinter } from './plain-printer.ts';

async function printed(act: (printer: PlainPrinter) => void): Promise<string> {
  const out = new PassThrough();
  act(new PlainPrinter({ out, error: out }, false));
  out.end();
  return text(out);
}

test('PlainPrinter tells a setback once, however often it is tried again', async () => {
  const away = { event: 'reconnecting', code: 'unreachable', message: 'Cannot reach the server' } as const;
  const shown = await printed((printer) => {
    for (let tries = 0; tries < 3; tries += 1) printer.print(away);
    printer.print({ ...away, message: 'Cannot reach a relay' });
    printer.print({ event: 'connected', node_id: 'node-001', client_id: 600_000_001, region: 'eu', transport: 'tls' });
    printer.print(away);
  });
  assert.deepEqual(shown.split('\n'), [
    'Cannot reach the server; trying again …',
    'Cannot reach a relay; trying again …',
    'Connected to node-001 as client 600000001',
    'Cannot reach the server; trying again …',
    '',
  ]);
});

test('PlainPrinter names a binding without a public address as private', async () => {
  const bindings = [{ binding_id: 'mapping:1004', protocol: 'tcp', url: null, target: 'localhost:23000' }];
  const shown = await printed((printer) => printer.print({ event: 'config', version: 2, bindings }));
  assert.equal(shown, 'private mapping:1004 → localhost:23000\n');
});
