import assert from 'node:assert/strict';
import { test } from 'node:test';
import { FakeClock } from '@tunnox/testing/fake-clock';
import { cachedLookup, type Lookup } from './cached-lookup.ts';

const address = { address: '192.0.2.1', family: 4 };

function setUp() {
  const clock = new FakeClock();
  const asked: { hostname: string; answer: Parameters<Lookup>[1] }[] = [];
  const lookup = cachedLookup((hostname, answer) => void asked.push({ hostname, answer }), clock);
  const results: string[] = [];
  const ask = (hostname: string): void =>
    lookup(hostname, (error, addresses) =>
      results.push(error?.message ?? addresses.map((each) => each.address).join()),
    );
  return { clock, asked, results, ask };
}

test('cachedLookup() asks once for a name within a second', () => {
  const { clock, asked, results, ask } = setUp();
  ask('a');
  ask('a');
  ask('b');
  assert.deepEqual(
    asked.map(({ hostname }) => hostname),
    ['a', 'b'],
  );
  asked[0]?.answer(null, [address]);
  ask('a');
  assert.deepEqual(results, ['192.0.2.1', '192.0.2.1', '192.0.2.1']);
  clock.advance(1000);
  ask('a');
  assert.equal(asked.length, 3);
});

test('cachedLookup() tells everybody of a failure and does not remember it', () => {
  const { asked, results, ask } = setUp();
  ask('a');
  ask('a');
  asked[0]?.answer(new Error('ENOTFOUND'), []);
  assert.deepEqual(results, ['ENOTFOUND', 'ENOTFOUND']);
  ask('a');
  assert.equal(asked.length, 2);
});

test('cachedLookup() remembers a bounded number of names', () => {
  const { asked, ask } = setUp();
  for (let i = 0; i < 257; i += 1) {
    ask(String(i));
    asked.at(-1)?.answer(null, [address]);
  }
  ask('256');
  assert.equal(asked.length, 257);
  ask('0');
  assert.equal(asked.length, 258);
});
