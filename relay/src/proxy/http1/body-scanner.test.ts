import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { TunnoxError } from '@tunnox/domain/tunnox-error';
import fc from 'fast-check';
import { cut } from '../test-support/read-requests.ts';
import { BodyScanner } from './body-scanner.ts';
import { CHUNK_EXTENSION_BYTES_MAX, TRAILER_BYTES_MAX } from './limits.ts';

interface Scanned {
  passed: string;
  payload: string;
  done: boolean;
  rest: string;
  error: string | null;
}

function scan(pieces: readonly Buffer[], framing: BodyScanner['framing'] = { kind: 'chunked' }): Scanned {
  const body = new BodyScanner(framing);
  const result: Scanned = { passed: '', payload: '', done: false, rest: '', error: null };
  for (const piece of pieces) {
    if (body.done) {
      result.rest += piece.toString('latin1');
      continue;
    }
    try {
      body.scan(piece, 0, (from, to) => (result.payload += piece.toString('latin1', from, to)));
    } catch (error) {
      assert.ok(error instanceof TunnoxError, String(error));
      return { ...result, error: error.code };
    }
    result.passed += piece.toString('latin1', 0, body.passTo) + body.trailer;
    result.rest += piece.toString('latin1', body.consumed);
  }
  return { ...result, done: body.done };
}

const whole = (text: string): Scanned => scan([Buffer.from(text, 'latin1')]);

const MALFORMED: Record<string, string> = {
  'no size': '\r\nabc\r\n0\r\n\r\n',
  'a size that is no number': 'x\r\nabc\r\n0\r\n\r\n',
  'a sign': '+3\r\nabc\r\n0\r\n\r\n',
  'the prefix 0x': '0x3\r\nabc\r\n0\r\n\r\n',
  'white space before the size': ' 3\r\nabc\r\n0\r\n\r\n',
  'white space after the size': '3 \r\nabc\r\n0\r\n\r\n',
  'a size of 14 digits': '00000000000003\r\nabc\r\n0\r\n\r\n',
  'a bare LF after the size': '3\nabc\r\n0\r\n\r\n',
  'a CR without LF after the size': '3\r\rabc\r\n0\r\n\r\n',
  'a bare LF in an extension': '3;a\nabc\r\n0\r\n\r\n',
  'NUL in an extension': '3;a\0\r\nabc\r\n0\r\n\r\n',
  'an extension without end': `3;${'a'.repeat(CHUNK_EXTENSION_BYTES_MAX + 1)}\r\nabc\r\n0\r\n\r\n`,
  'data longer than its size': '3\r\nabcd\r\n0\r\n\r\n',
  'data shorter than its size': '3\r\nab\r\n0\r\n\r\n',
  'a bare LF after data': '3\r\nabc\n0\r\n\r\n',
  'a bare LF in a trailer': '0\r\nA: b\n\r\n',
  'a bare LF as blank line': '0\r\n\n',
  'a line fold in a trailer': '0\r\nA: b\r\n c\r\n\r\n',
  'a trailer that is no field': '0\r\nGET / HTTP/1.1\r\n\r\n',
};

describe('BodyScanner', () => {
  for (const [name, text] of Object.entries(MALFORMED)) {
    it(`refuses chunks with ${name}`, () => assert.equal(whole(text).error, 'malformed'));
  }

  it('passes chunks, sizes and extensions as they came, and stops at their end', () => {
    const text = '3\r\nabc\r\n0A;name="v;w"\r\n0123456789\r\n000\r\n\r\n';
    assert.deepEqual(whole(`${text}GET`), {
      passed: text,
      payload: 'abc0123456789',
      done: true,
      rest: 'GET',
      error: null,
    });
  });

  it('passes trailers, without those that may only stand in a head', () => {
    const trailers =
      'X-Sum: 1\r\nContent-Length: 5\r\nTransfer_Encoding: x\r\nHost: b\r\nX-Forwarded-For: 1\r\nAuthorization: x\r\nSet-Cookie: a=b\r\nGrpc-Status: 0\r\n';
    const { passed, rest } = whole(`0\r\n${trailers}\r\nnext`);
    assert.equal(passed, '0\r\nX-Sum: 1\r\nGrpc-Status: 0\r\n\r\n');
    assert.equal(rest, 'next');
  });

  it('holds back at most TRAILER_BYTES_MAX of trailers', () => {
    const trailers = (size: number): string => `X-A: ${'a'.repeat(size - 'X-A: \r\n\r\n'.length)}\r\n\r\n`;
    assert.equal(whole(`0\r\n${trailers(TRAILER_BYTES_MAX)}`).done, true);
    assert.equal(whole(`0\r\n${trailers(TRAILER_BYTES_MAX + 1)}`).error, 'head_too_large');
    assert.equal(whole(`0\r\n${'a'.repeat(TRAILER_BYTES_MAX)}`).error, 'head_too_large');
  });

  it('passes nothing of a buffer with a bad chunk in it', () => {
    const { passed, error } = scan([Buffer.from('3\r\nabc\r\n'), Buffer.from('3\r\ndef\r\nxyz')]);
    assert.equal(error, 'malformed');
    assert.equal(passed, '3\r\nabc\r\n');
  });

  it('counts a body of known length and leaves the rest', () => {
    const pieces = ['ab', 'cd', 'efgh'].map((text) => Buffer.from(text));
    const { passed, done, rest } = scan(pieces, { kind: 'length', bytes: 5 });
    assert.deepEqual({ passed, done, rest }, { passed: 'abcde', done: true, rest: 'fgh' });
  });

  it('takes everything that comes when the body ends with the connection', () => {
    const { passed, done } = scan([Buffer.from('ab'), Buffer.from('cd')], { kind: 'close' });
    assert.deepEqual({ passed, done }, { passed: 'abcd', done: false });
  });

  it('reads what a plain encoder wrote, wherever it is cut', () => {
    const chunk = fc.string({ unit: 'binary-ascii', minLength: 1, maxLength: 40 });
    const places = fc.array(fc.nat(2000), { maxLength: 20 });
    fc.assert(
      fc.property(fc.array(chunk, { maxLength: 10 }), places, fc.boolean(), (chunks, cuts, upper) => {
        const size = (text: string): string =>
          upper ? text.length.toString(16).toUpperCase() : text.length.toString(16);
        const text = `${chunks.map((data) => `${size(data)}\r\n${data}\r\n`).join('')}0\r\nA: b\r\n\r\n`;
        const scanned = scan(cut(Buffer.from(`${text}rest`, 'latin1'), cuts));
        assert.deepEqual(scanned, { passed: text, payload: chunks.join(''), done: true, rest: 'rest', error: null });
      }),
    );
  });

  it('says the same of any bytes, however they are cut', () => {
    const token = fc.constantFrom(
      '0',
      '1',
      '3',
      'a',
      ';',
      '\r',
      '\n',
      '\r\n',
      '\r\n\r\n',
      ' ',
      'X: y',
      ':',
      'abc',
      '\0',
    );
    fc.assert(
      fc.property(fc.array(token, { maxLength: 30 }), fc.array(fc.nat(100), { maxLength: 12 }), (tokens, cuts) => {
        const bytes = Buffer.from(tokens.join(''), 'latin1');
        const one = scan([bytes]);
        const many = scan(cut(bytes, cuts));
        assert.equal(many.error, one.error);
        assert.equal(many.done, one.done);
        if (one.error === null) assert.equal(many.passed, one.passed);
      }),
      { numRuns: 2000 },
    );
  });
});
