import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import type { AttachEvent } from '../services/live-ports.ts';
import { attach, detach, expel, NEVER_ATTACHED, type PresenceState } from './attach-rule.ts';

const NOW = 1_800_000_000_000;
const [I, J] = ['01J0000000000000000000000A', '01J0000000000000000000000B'] as const;
const [RUN1, RUN2] = ['01K00000000000000000000001', '01K00000000000000000000002'] as const;

const base: AttachEvent = {
  client_id: 600_000_000,
  node_id: 'node-001',
  incarnation: RUN1,
  instance_id: I,
  connect_seq: 1,
  generation: 1,
  mode: 'attach',
};

function after(...events: Partial<AttachEvent>[]): PresenceState {
  let state = NEVER_ATTACHED;
  for (const [index, event] of events.entries()) {
    const verdict = attach(state, { ...base, ...event }, NOW + index);
    assert.equal(verdict.kind, 'accepted');
    if (verdict.kind === 'accepted') state = verdict.state;
  }
  return state;
}

function detachOf(event: Partial<AttachEvent>) {
  const { node_id, incarnation, instance_id, connect_seq } = { ...base, ...event };
  return { node_id, incarnation, instance_id, connect_seq };
}

describe('attach()', () => {
  const table: {
    name: string;
    held: Partial<AttachEvent>[];
    event: Partial<AttachEvent>;
    verdict: 'accepted' | 'replaced' | 'stale_ticket';
    /** Whose session is told; absent: nobody's. */
    told?: string;
  }[] = [
    { name: 'accepts the first', held: [], event: {}, verdict: 'accepted' },
    { name: 'accepts an announcement into an empty place', held: [], event: { mode: 'announce' }, verdict: 'accepted' },
    { name: 'takes a repetition of the same call', held: [{}], event: {}, verdict: 'accepted' },
    {
      name: 'lets a higher connect_seq of the same instance win on another relay',
      held: [{}],
      event: { connect_seq: 2, node_id: 'node-002', incarnation: RUN2 },
      verdict: 'accepted',
      told: I,
    },
    {
      name: 'refuses a lower connect_seq of the same instance that comes late',
      held: [{ connect_seq: 2, node_id: 'node-002' }],
      event: { connect_seq: 1 },
      verdict: 'replaced',
    },
    {
      name: 'lets the later attach of another instance win, whatever its connect_seq',
      held: [{ connect_seq: 9 }],
      event: { instance_id: J, connect_seq: 1, node_id: 'node-002' },
      verdict: 'accepted',
      told: I,
    },
    {
      name: 'never lets an announcement outbid another instance',
      held: [{ instance_id: J, node_id: 'node-002' }],
      event: { connect_seq: 99, mode: 'announce' },
      verdict: 'replaced',
    },
    {
      name: 'takes the announcement of the session that holds the place',
      held: [{}],
      event: { mode: 'announce' },
      verdict: 'accepted',
    },
    {
      name: "takes the announcement under the relay's new incarnation",
      held: [{ incarnation: RUN1 }],
      event: { incarnation: RUN2, mode: 'announce' },
      verdict: 'accepted',
    },
    {
      name: "refuses the same session under the relay's older incarnation",
      held: [{ incarnation: RUN2 }],
      event: { incarnation: RUN1, mode: 'announce' },
      verdict: 'replaced',
    },
    {
      name: 'refuses a ticket of an older generation',
      held: [{ generation: 2 }],
      event: { generation: 1, connect_seq: 5 },
      verdict: 'stale_ticket',
    },
    {
      name: 'lets a newer generation win even by announcement',
      held: [{ generation: 1, instance_id: J }],
      event: { generation: 2, mode: 'announce' },
      verdict: 'accepted',
      told: J,
    },
  ];
  for (const { name, held, event, verdict: expected, told } of table) {
    test(name, () => {
      const verdict = attach(after(...held), { ...base, ...event }, NOW + 1000);
      assert.equal(verdict.kind === 'accepted' ? 'accepted' : verdict.code, expected);
      if (verdict.kind === 'accepted') assert.equal(verdict.replaced?.instance_id, told);
    });
  }

  test('refuses what is said about a session after it has ended, and takes the next one', () => {
    const ended = detach(after({ connect_seq: 3 }), detachOf({ connect_seq: 3 }), NOW);
    assert.equal(ended.presence, null);
    for (const mode of ['attach', 'announce'] as const) {
      assert.equal(attach(ended, { ...base, connect_seq: 3, mode }, NOW).kind, 'refused');
      assert.equal(attach(ended, { ...base, connect_seq: 2, mode }, NOW).kind, 'refused');
      assert.equal(attach(ended, { ...base, connect_seq: 4, mode }, NOW).kind, 'accepted');
      assert.equal(attach(ended, { ...base, instance_id: J, connect_seq: 1, mode }, NOW).kind, 'accepted');
    }
  });

  test('changes nothing when a relay repeats itself', () => {
    const state = after({});
    for (const mode of ['attach', 'announce'] as const) {
      const verdict = attach(state, { ...base, mode }, NOW + 1000);
      assert.ok(verdict.kind === 'accepted' && verdict.state === state);
    }
  });

  test('refuses an attach that its own detach has overtaken', () => {
    const state = detach(NEVER_ATTACHED, detachOf({}), NOW);
    assert.equal(attach(state, base, NOW).kind, 'refused');
  });
});

describe('detach()', () => {
  test('ends the session that it names', () => {
    const state = after({});
    const ended = detach(state, detachOf({}), NOW);
    assert.equal(ended.presence, null);
    assert.ok(ended.order > state.order);
  });

  for (const late of [
    { connect_seq: 2 },
    { instance_id: J },
    { node_id: 'node-002' },
    { incarnation: RUN2 },
  ] satisfies Partial<AttachEvent>[]) {
    test(`disturbs nobody when the session differs: ${JSON.stringify(late)}`, () => {
      const state = after({});
      assert.equal(detach(state, detachOf(late), NOW), state);
    });
  }
});

describe('expel()', () => {
  test('ends a session of an older credential and keeps its tickets out', () => {
    const state = expel(after({}), { generation: 2, attachedUntilMs: null }, NOW + 1000);
    assert.equal(state.presence, null);
    assert.equal(attach(state, { ...base, connect_seq: 2 }, NOW + 2000).kind, 'refused');
    assert.equal(attach(state, { ...base, connect_seq: 2, generation: 2 }, NOW + 2000).kind, 'accepted');
  });

  test('spares a session that began afterwards, however late the word is', () => {
    const state = after({ generation: 2 });
    assert.equal(expel(state, { generation: 2, attachedUntilMs: null }, NOW + 1000), state);
    assert.equal(expel(state, { generation: 2, attachedUntilMs: NOW - 1 }, NOW + 1000), state);
    assert.equal(expel(state, { generation: 2, attachedUntilMs: NOW }, NOW + 1000).presence, null);
  });
});

const events = fc.record({
  kind: fc.constantFrom('attach', 'announce', 'detach', 'expel'),
  node: fc.integer({ min: 1, max: 3 }),
  instance: fc.constantFrom(I, J),
  seq: fc.integer({ min: 1, max: 4 }),
  generation: fc.integer({ min: 1, max: 3 }),
});

test('any history keeps order and generation rising and the presence at one accepted session', () => {
  fc.assert(
    fc.property(fc.array(events, { maxLength: 40 }), (history) => {
      let state = NEVER_ATTACHED;
      for (const [index, { kind, node, instance, seq, generation }] of history.entries()) {
        const now = NOW + (index % 5);
        const place = { node_id: `node-00${node}`, incarnation: RUN1, instance_id: instance, connect_seq: seq };
        const before = state;
        if (kind === 'detach') state = detach(before, place, now);
        else if (kind === 'expel') state = expel(before, { generation, attachedUntilMs: null }, now);
        else {
          const verdict = attach(before, { ...base, ...place, generation, mode: kind }, now);
          if (verdict.kind === 'accepted') {
            state = verdict.state;
            assert.deepEqual(
              { ...place, generation },
              {
                node_id: state.presence?.node_id,
                incarnation: state.presence?.incarnation,
                instance_id: state.presence?.instance_id,
                connect_seq: state.presence?.connect_seq,
                generation: state.presence?.generation,
              },
            );
          }
        }
        assert.ok(state.generation >= before.generation);
        assert.ok(state.order >= before.order);
        if (state.presence !== before.presence) assert.ok(state.order > before.order);
        if (state.presence !== null) assert.ok(state.presence.generation >= state.generation);
      }
    }),
  );
});

test('a session that has lost to a higher connect_seq of its instance never comes back', () => {
  fc.assert(
    fc.property(fc.array(events, { maxLength: 30 }), (history) => {
      let state = NEVER_ATTACHED;
      let highest = 0;
      for (const { kind, node, seq } of history) {
        const place = { node_id: `node-00${node}`, incarnation: RUN1, instance_id: I, connect_seq: seq };
        if (kind === 'attach' || kind === 'announce') {
          const verdict = attach(state, { ...base, ...place, mode: kind }, NOW);
          if (verdict.kind === 'accepted') state = verdict.state;
          if (state.presence !== null) {
            assert.ok(state.presence.connect_seq >= highest);
            highest = state.presence.connect_seq;
          }
        } else if (kind === 'detach') state = detach(state, place, NOW);
      }
    }),
  );
});
