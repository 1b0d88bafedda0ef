import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { CONTROL_LINE_BYTES_MAX, ControlLineDecoder, encodeControlLine, MalformedControl } from './control-codec.ts';

const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);

test('ControlLineDecoder gives the same lines however the bytes are cut', () => {
  fc.assert(
    fc.property(
      fc.array(fc.string({ unit: 'grapheme' }).map((line) => line.replaceAll('\n', ' '))),
      fc.array(fc.integer({ min: 1, max: 7 }), { minLength: 1 }),
      (lines, cuts) => {
        const whole = bytes(lines.map((line) => `${line}\n`).join(''));
        const decoder = new ControlLineDecoder();
        const got: string[] = [];
        for (let at = 0, turn = 0; at < whole.length; turn++) {
          const size = cuts[turn % cuts.length] ?? 1;
          got.push(...decoder.push(whole.slice(at, at + size)));
          at += size;
        }
        assert.deepEqual(got, lines);
      },
    ),
  );
});

test('ControlLineDecoder keeps an unfinished line to itself', () => {
  const decoder = new ControlLineDecoder();
  assert.deepEqual(decoder.push(bytes('{"type"')), []);
  assert.deepEqual(decoder.push(bytes(':"bye"}\n{')), ['{"type":"bye"}']);
});

test('ControlLineDecoder does not depend on a buffer that is used again', () => {
  const decoder = new ControlLineDecoder();
  const buffer = bytes('ab');
  decoder.push(buffer);
  buffer.fill(0x7a);
  assert.deepEqual(decoder.push(bytes('\n')), ['ab']);
});

test('ControlLineDecoder takes a line of 64 KiB and refuses a longer one before its end is seen', () => {
  const longest = 'x'.repeat(CONTROL_LINE_BYTES_MAX);
  assert.deepEqual(new ControlLineDecoder().push(bytes(`${longest}\n`)), [longest]);
  const decoder = new ControlLineDecoder();
  decoder.push(bytes(longest));
  assert.throws(() => decoder.push(bytes('x')), MalformedControl);
});

test('ControlLineDecoder bears a long line that comes byte by byte', () => {
  const decoder = new ControlLineDecoder();
  for (let count = 0; count < CONTROL_LINE_BYTES_MAX; count++) decoder.push(bytes('x'));
  assert.equal(decoder.push(bytes('\n'))[0]?.length, CONTROL_LINE_BYTES_MAX);
});

test('ControlLineDecoder refuses what is not UTF-8', () => {
  assert.throws(() => new ControlLineDecoder().push(Uint8Array.of(0xff, 0x0a)), MalformedControl);
});

test('encodeControlLine() writes one line and refuses what a peer would refuse', () => {
  assert.deepEqual(encodeControlLine({ type: 'bye' }), bytes('{"type":"bye"}\n'));
  const ticket = 'x'.repeat(CONTROL_LINE_BYTES_MAX);
  assert.throws(() => encodeControlLine({ type: 'hello', ticket } as { type: string }), /Cannot send 'hello'/);
});
