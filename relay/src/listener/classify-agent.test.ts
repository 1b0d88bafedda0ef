import assert from 'node:assert/strict';
import { test } from 'node:test';
import { SERVE_PREAMBLE } from '@tunnox/protocol/names';
import fc from 'fast-check';
import { classifyAgent } from './classify-agent.ts';

const PREFACE = 'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n';

test('classifyAgent() tells TLS, serving and visiting agents apart by the first bytes', () => {
  assert.deepEqual(classifyAgent(Buffer.of(0x16, 3, 1)), { verdict: 'tls', used: 0 });
  assert.deepEqual(classifyAgent(Buffer.from(`${SERVE_PREAMBLE}PRI`)), {
    verdict: 'serve',
    used: SERVE_PREAMBLE.length,
  });
  assert.deepEqual(classifyAgent(Buffer.from(PREFACE)), { verdict: 'visit', used: 0 });
});

test('classifyAgent() waits while a beginning may still become one, and no longer', () => {
  assert.equal(classifyAgent(Buffer.alloc(0)), null);
  for (const whole of [SERVE_PREAMBLE, PREFACE.slice(0, 16)]) {
    for (let length = 1; length < whole.length; length++) {
      assert.equal(classifyAgent(Buffer.from(whole.slice(0, length))), null);
      assert.equal(classifyAgent(Buffer.from(`${whole.slice(0, length)}\0`))?.verdict, 'garbage');
    }
  }
  assert.equal(classifyAgent(Buffer.from('GET / HTTP/1.1\r\n'))?.verdict, 'garbage');
});

test('classifyAgent() decides on any bytes by the time it has sixteen', () => {
  fc.assert(
    fc.property(fc.uint8Array({ minLength: 16, maxLength: 64 }), (bytes) => {
      assert.notEqual(classifyAgent(Buffer.from(bytes)), null);
    }),
  );
});
