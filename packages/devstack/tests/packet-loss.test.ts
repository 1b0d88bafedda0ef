import assert from 'node:assert/strict';
import { it } from 'node:test';
import { fileURLToPath } from 'node:url';
import { needs } from '@tunnox/testing/needs';
import { run } from './support/lines.ts';

const SCENARIO = fileURLToPath(new URL('./support/packet-loss-scenario.ts', import.meta.url));
const SCENARIO_TIMEOUT_MS = 300_000;

/** Making a network namespace needs root. */
const skip = needs('ip', 'iptables') || needsRoot();

it(
  'an agent whose packets are dropped for a minute recovers alone, the old relay’s late word disturbs nobody',
  { skip },
  async () => {
    const namespace = `tunnox-${process.pid}`;
    const ip = async (...args: string[]) => {
      const { code, stderr } = await run('ip', args);
      assert.equal(code, 0, stderr);
    };
    await ip('netns', 'add', namespace);
    try {
      await ip('-n', namespace, 'link', 'set', 'lo', 'up');
      const outcome = await run(
        'ip',
        ['netns', 'exec', namespace, process.execPath, SCENARIO],
        '',
        process.env,
        SCENARIO_TIMEOUT_MS,
      );
      assert.equal(outcome.code, 0, `${outcome.stdout}\n${outcome.stderr}`);
      assert.match(outcome.stdout, /recovered at both relays/);
    } finally {
      await ip('netns', 'del', namespace);
    }
  },
);

function needsRoot(): string | false {
  if (process.getuid?.() === 0) return false;
  if (process.env['CI'] === 'true')
    throw new Error('Cannot run this suite: it must be root to make a network namespace');
  return 'not root: cannot make a network namespace';
}
