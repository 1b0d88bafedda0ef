import assert from 'node:assert/strict';
import { once } from 'node:events';
import { test } from 'node:test';
import { socketPair } from '@tunnox/testing/socket-pair';
import { resetStream } from './reset-stream.ts';

test('resetStream() shows the other side a reset', async () => {
  const { client, server } = await socketPair(true);
  const failed = once(client, 'error') as Promise<[NodeJS.ErrnoException]>;
  client.resume();
  resetStream(server);
  assert.equal((await failed)[0].code, 'ECONNRESET');
});

test('resetStream() closes a socket whose end of data cannot be sent', async () => {
  const { client, server } = await socketPair(true);
  client.pause();
  while (server.write(Buffer.alloc(1 << 20)));
  server.end();
  const closed = once(server, 'close').catch(() => {});
  resetStream(server);
  await closed;
  assert.equal(server.destroyed, true);
  client.destroy();
});
