import assert from 'node:assert/strict';
import { once } from 'node:events';
import { type AddressInfo, createServer } from 'node:net';
import { test } from 'node:test';
import { checkLocalPort } from './local-port.ts';

test('checkLocalPort() leaves a free port free, and tells of one that is in use', async (t) => {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  t.after(() => server.close());
  const { port } = server.address() as AddressInfo;
  await assert.rejects(checkLocalPort('127.0.0.1', port), { code: 'port_in_use', exitCode: 4 });
  server.close();
  await once(server, 'close');
  await checkLocalPort('127.0.0.1', port);
  server.listen(port, '127.0.0.1');
  await once(server, 'listening');
});

test('checkLocalPort() tells of an address that is not of this machine', async () => {
  await assert.rejects(checkLocalPort('192.0.2.1', 9), { code: 'port_failed', message: /^Cannot open port 9 of 192/ });
});
