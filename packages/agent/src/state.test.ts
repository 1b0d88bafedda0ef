import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type AgentInput, type AgentState, STABLE_MS, transition } from './state.ts';

const ending = { code: 'replaced', message: 'elsewhere' } as const;

const table: [name: string, from: AgentState, input: AgentInput, to: AgentState][] = [
  ['starts with a session', { kind: 'idle' }, { kind: 'start' }, { kind: 'session', attempt: 0 }],
  [
    'connects once it has a ticket',
    { kind: 'session', attempt: 3 },
    { kind: 'session_ready' },
    { kind: 'connecting', attempt: 3 },
  ],
  [
    'asks the control plane again later',
    { kind: 'session', attempt: 0 },
    { kind: 'session_failed', retryAfterMs: 7000 },
    { kind: 'backing-off', attempt: 1, next: 'session', delayMsMin: 7000 },
  ],
  [
    'is connected once welcomed',
    { kind: 'connecting', attempt: 2 },
    { kind: 'welcomed', nodeId: 'node-002' },
    { kind: 'connected', attempt: 2, nodeId: 'node-002' },
  ],
  [
    'tries the relays again later, with the same ticket',
    { kind: 'connecting', attempt: 4 },
    { kind: 'connect_failed', retryAfterMs: 0 },
    { kind: 'backing-off', attempt: 5, next: 'connecting', delayMsMin: 0 },
  ],
  [
    'gets a new ticket at once when the first is rejected',
    { kind: 'connecting', attempt: 0 },
    { kind: 'ticket_rejected' },
    { kind: 'session', attempt: 1 },
  ],
  [
    'waits before a third ticket',
    { kind: 'connecting', attempt: 1 },
    { kind: 'ticket_rejected' },
    { kind: 'backing-off', attempt: 2, next: 'session', delayMsMin: 0 },
  ],
  [
    'reconnects at once after a connection that stood',
    { kind: 'connected', attempt: 9, nodeId: 'node-001' },
    { kind: 'lost', stoodMs: STABLE_MS },
    { kind: 'connecting', attempt: 0 },
  ],
  [
    'reconnects at once after the first short connection',
    { kind: 'connected', attempt: 0, nodeId: 'node-001' },
    { kind: 'lost', stoodMs: 10 },
    { kind: 'connecting', attempt: 1 },
  ],
  [
    'waits after repeated short connections',
    { kind: 'connected', attempt: 1, nodeId: 'node-001' },
    { kind: 'lost', stoodMs: STABLE_MS - 1 },
    { kind: 'backing-off', attempt: 2, next: 'connecting', delayMsMin: 0 },
  ],
  [
    'moves to another relay at once',
    { kind: 'connected', attempt: 1, nodeId: 'node-001' },
    { kind: 'moving' },
    { kind: 'connecting', attempt: 0 },
  ],
  [
    'takes the new identity at once when claimed',
    { kind: 'connected', attempt: 0, nodeId: 'node-001' },
    { kind: 'ticket_rejected' },
    { kind: 'session', attempt: 1 },
  ],
  [
    'takes the new identity at once after a connection that stood, whatever was before it',
    { kind: 'connected', attempt: 3, nodeId: 'node-001' },
    { kind: 'ticket_rejected', stoodMs: STABLE_MS },
    { kind: 'session', attempt: 1 },
  ],
  [
    'goes on with what it waited for',
    { kind: 'backing-off', attempt: 5, next: 'session', delayMsMin: 10 },
    { kind: 'waited' },
    { kind: 'session', attempt: 5 },
  ],
];

for (const [name, from, input, to] of table) {
  test(`transition() ${name}`, () => assert.deepEqual(transition(from, input), to));
}

const states: AgentState[] = [
  { kind: 'idle' },
  { kind: 'session', attempt: 0 },
  { kind: 'connecting', attempt: 0 },
  { kind: 'connected', attempt: 0, nodeId: 'node-001' },
  { kind: 'backing-off', attempt: 1, next: 'session', delayMsMin: 0 },
];

test('transition() ends from every state, and an ended agent stays ended', () => {
  for (const state of states) {
    const ended = transition(state, { kind: 'final', ending });
    assert.deepEqual(ended, { kind: 'ended', ending });
    assert.equal(transition(ended, { kind: 'start' }), ended);
    assert.equal(transition(ended, { kind: 'final', ending: { code: 'stopped', message: '' } }), ended);
  }
});

test('transition() refuses what cannot happen', () => {
  assert.throws(() => transition({ kind: 'idle' }, { kind: 'waited' }), /Cannot take 'waited' in state 'idle'/);
  assert.throws(() => transition(states[3] as AgentState, { kind: 'start' }), /'connected'/);
});
