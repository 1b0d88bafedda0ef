import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { MalformedControl } from './control-codec.ts';
import type { AgentMessage, RelayMessage } from './control-message.ts';
import { parseAgentMessage, parseRelayMessage } from './parse-control.ts';

const AGENT_MESSAGES: AgentMessage[] = [
  {
    type: 'hello',
    protocol: 1,
    agent_version: '0.1.0',
    ticket: 'a.b.c',
    instance_id: '01ARZ3NDEKTSV4RRFFQ69G5FAV',
    connect_seq: 1,
    os: 'linux',
  },
  {
    type: 'config_applied',
    version: 3,
    problems: [{ binding_id: 'mapping:1001', code: 'port_in_use', message: 'Port 5432 is taken' }],
  },
  { type: 'health', binding_id: 'domain:17', state: 'down', detail: 'refused' },
  { type: 'health', binding_id: 'domain:17', state: 'up' },
  { type: 'bye' },
];

const RELAY_MESSAGES: RelayMessage[] = [
  { type: 'welcome', node_id: 'node-001', heartbeat_ms: 15_000, protocol: 1 },
  { type: 'refused', code: 'draining', message: 'The relay stops', retry_after_ms: 2000 },
  { type: 'refused', code: 'bad_ticket', message: 'No' },
  { type: 'config_changed', version: 4 },
  { type: 'drain', deadline_ms: 30_000 },
  { type: 'replaced', message: 'm' },
  { type: 'disabled', message: 'm' },
  { type: 'deleted', message: 'm' },
  { type: 'disconnected', message: 'm' },
  { type: 'claimed', message: 'm' },
  { type: 'limits', bandwidth_bytes_per_s: null, max_connections_per_mapping: 10, traffic_exhausted: false },
  {
    ...{ type: 'limits', bandwidth_bytes_per_s: 1, max_connections_per_mapping: null, traffic_exhausted: true },
    waiting_bindings: ['mapping:1001', 'domain:7'],
  },
];

test('parseAgentMessage() reads every message that an agent sends, and leaves unknown members out', () => {
  for (const message of AGENT_MESSAGES) {
    assert.deepEqual(parseAgentMessage(JSON.stringify({ ...message, later: true })), message);
  }
});

test('parseRelayMessage() reads every message that a relay sends, and leaves unknown members out', () => {
  for (const message of RELAY_MESSAGES) {
    assert.deepEqual(parseRelayMessage(JSON.stringify({ ...message, later: true })), message);
  }
});

test('parse functions ignore unknown types', () => {
  assert.equal(parseAgentMessage('{"type":"later","x":1}'), null);
  assert.equal(parseAgentMessage('{"type":"welcome"}'), null);
  assert.equal(parseRelayMessage('{"type":"constructor"}'), null);
});

test('parse functions refuse what is not an object with a type', () => {
  for (const line of [
    '',
    'null',
    '1',
    '"hello"',
    '[]',
    '[{"type":"bye"}]',
    '{}',
    '{"type":1}',
    '{"type":"bye"',
    '\u0000',
  ]) {
    assert.throws(() => parseAgentMessage(line), MalformedControl, line);
    assert.throws(() => parseRelayMessage(line), MalformedControl, line);
  }
});

test('parseAgentMessage() refuses a hello with any member missing or wrong', () => {
  const hello = AGENT_MESSAGES[0] as unknown as Record<string, unknown>;
  for (const name of Object.keys(hello)) {
    if (name === 'type') continue;
    for (const wrong of [undefined, null, {}, [], true, -1, 1.5, 'x'.repeat(9000)]) {
      assert.throws(() => parseAgentMessage(JSON.stringify({ ...hello, [name]: wrong })), MalformedControl, name);
    }
  }
});

test('parseAgentMessage() does not read members from the prototype', () => {
  assert.throws(() => parseAgentMessage('{"__proto__":{"type":"bye"}}'), MalformedControl);
});

test('parse functions answer any line with a message, null or MalformedControl', () => {
  const members = fc.constantFrom(
    ...[...AGENT_MESSAGES, ...RELAY_MESSAGES].flatMap((message) => Object.entries(message)),
  );
  const mutated = fc
    .array(fc.oneof(members, fc.tuple(fc.string(), fc.jsonValue())), { maxLength: 8 })
    .map((entries) => JSON.stringify(Object.fromEntries(entries)));
  fc.assert(
    fc.property(fc.oneof(fc.string(), fc.json(), mutated), (line) => {
      for (const parse of [parseAgentMessage, parseRelayMessage]) {
        try {
          const message = parse(line);
          if (message !== null) assert.deepEqual(parse(JSON.stringify(message)), message);
        } catch (error) {
          assert.ok(error instanceof MalformedControl);
        }
      }
    }),
    { numRuns: 2000 },
  );
});
