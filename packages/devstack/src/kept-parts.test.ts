import assert from 'node:assert/strict';
import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { KeptParts } from './kept-parts.ts';

test('KeptParts.stop() stops every part in reverse order, also behind one that fails, and tells of the failure', async (t) => {
  const home = await mkdtemp(join(tmpdir(), 'tunnox-parts-'));
  t.after(() => rm(home, { recursive: true, force: true }));
  const parts = await KeptParts.take({ home, restartDelayMs: null, print: () => {} }, []);
  const stopped: string[] = [];
  parts.add({ stop: async () => void stopped.push('first') });
  parts.add({ stop: () => Promise.reject(new Error('cannot be stopped')) });
  parts.add({ stop: async () => void stopped.push('last') });
  await assert.rejects(parts.stop(), /cannot be stopped/);
  assert.deepEqual(stopped, ['last', 'first']);
  // The next start ends what is left.
  assert.ok((await readdir(home)).includes('run.json'));
});
