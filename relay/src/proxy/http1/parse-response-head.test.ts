import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { TunnoxError } from '@tunnox/domain/tunnox-error';
import { parseResponseHead, type ResponseHead } from './parse-response-head.ts';
import { responseLines } from './response-lines.ts';

const bytesOf = (text: string): Buffer => Buffer.from(text, 'latin1');
const head = (text: string, method = 'GET'): ResponseHead =>
  parseResponseHead(bytesOf(text), 0, method) as ResponseHead;
const lines = (text: string): string => responseLines(bytesOf(text), head(text));
const ok = (fields: string): string => `HTTP/1.1 200 OK\r\n${fields}\r\n`;

function codeOf(text: string): string {
  try {
    return parseResponseHead(bytesOf(text), 0, 'GET') === null ? 'incomplete' : 'accepted';
  } catch (error) {
    assert.ok(error instanceof TunnoxError, String(error));
    return error.code;
  }
}

const MALFORMED: Record<string, string> = {
  'two Content-Length': ok('Content-Length: 5\r\nContent-Length: 5\r\n'),
  'a bad Content-Length': ok('Content-Length: five\r\n'),
  'Content-Length with Transfer-Encoding': ok('Content-Length: 5\r\nTransfer-Encoding: chunked\r\n'),
  'a coding other than chunked': ok('Transfer-Encoding: gzip, chunked\r\n'),
  'Transfer-Encoding in HTTP/1.0': 'HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n',
  'a line fold': ok('X-A: b\r\n c\r\n'),
  'bare LF': 'HTTP/1.1 200 OK\nX-A: b\n\n',
  'bare CR in a value': ok('X-A: b\rc\r\n'),
  'NUL in the reason': 'HTTP/1.1 200 O\0K\r\n\r\n',
  'white space before the colon': ok('X-A : b\r\n'),
  'a status of two digits': 'HTTP/1.1 20 OK\r\n\r\n',
  'a status of four digits': 'HTTP/1.1 2000 OK\r\n\r\n',
  'a status below 100': 'HTTP/1.1 099 OK\r\n\r\n',
  'HTTP/2': 'HTTP/2 200\r\n\r\n',
  ICY: 'ICY 200 OK\r\n\r\n',
  'an empty line before it': `\r\n${ok('')}`,
  'another protocol': 'SSH-2.0-OpenSSH_9.2\r\n',
};

describe('parseResponseHead()', () => {
  for (const [name, text] of Object.entries(MALFORMED)) {
    it(`refuses ${name}`, () => assert.equal(codeOf(text), 'malformed'));
  }

  it('waits for more as long as no line is bad', () => {
    const text = ok('Content-Length: 5\r\n');
    for (let length = 0; length < text.length; length++) assert.equal(codeOf(text.slice(0, length)), 'incomplete');
    assert.equal(codeOf(text), 'accepted');
  });

  it('reads how the body ends: by length, by chunks, by the end of the connection', () => {
    assert.deepEqual(head(ok('Content-Length: 5\r\n')).framing, { kind: 'length', bytes: 5 });
    assert.deepEqual(head(ok('Transfer-Encoding: chunked\r\n')).framing, { kind: 'chunked' });
    assert.deepEqual(head(ok('')).framing, { kind: 'close' });
  });

  it('knows the answers without a body, whatever they declare', () => {
    assert.deepEqual(head(ok('Content-Length: 5\r\n'), 'HEAD').framing, { kind: 'none' });
    for (const status of [100, 103, 204, 304]) {
      const text = `HTTP/1.1 ${status} X\r\nContent-Length: 5\r\n\r\n`;
      assert.deepEqual(head(text).framing, { kind: 'none' });
    }
  });

  it('drops a length from 1xx and 204, where it is forbidden, and keeps it in 304', () => {
    assert.equal(lines('HTTP/1.1 204 X\r\nContent-Length: 5\r\nA: b\r\n\r\n'), 'HTTP/1.1 204 X\r\nA: b\r\n');
    assert.equal(lines('HTTP/1.1 304 X\r\nContent-Length: 5\r\n\r\n'), 'HTTP/1.1 304 X\r\nContent-Length: 5\r\n');
  });

  it('knows whether the target takes another request', () => {
    const length = 'Content-Length: 5\r\n';
    assert.equal(head(ok(length)).keepAlive, true);
    assert.equal(head(ok(`${length}Connection: close\r\n`)).keepAlive, false);
    assert.equal(head(ok('')).keepAlive, false);
    assert.equal(head(`HTTP/1.0 200 OK\r\n${length}Connection: keep-alive\r\n\r\n`).keepAlive, false);
  });

  it('writes any HTTP/1.x and a missing reason as a status line of HTTP/1.1', () => {
    assert.equal(lines('HTTP/1.0 200 OK\r\nA: b\r\n\r\n'), 'HTTP/1.1 200 OK\r\nA: b\r\n');
    assert.equal(lines('HTTP/1.1 200\r\nA: b\r\n\r\n'), 'HTTP/1.1 200 \r\nA: b\r\n');
    assert.equal(lines('HTTP/1.1 404 Not  Found\r\n\r\n'), 'HTTP/1.1 404 Not  Found\r\n');
  });

  it('drops what is meant for this hop, and what Connection names', () => {
    const fields = 'A: 1\r\nConnection: keep-alive, X-B\r\nKeep-Alive: timeout=5\r\nX-B: 2\r\nUpgrade: h2c\r\nC: 3\r\n';
    assert.equal(lines(ok(fields)), 'HTTP/1.1 200 OK\r\nA: 1\r\nC: 3\r\n');
    assert.equal(lines(ok('Keep-Alive: 1\r\nA: 1\r\nConnection: close\r\n')), 'HTTP/1.1 200 OK\r\nA: 1\r\n');
  });

  it('finds the next head behind an interim one', () => {
    const bytes = bytesOf(`HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n${ok('Content-Length: 0\r\n')}`);
    const hints = parseResponseHead(bytes, 0, 'GET') as ResponseHead;
    assert.equal(hints.status, 103);
    assert.equal(parseResponseHead(bytes, hints.end, 'GET')?.status, 200);
  });
});
