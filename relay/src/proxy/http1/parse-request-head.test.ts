import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { TunnoxError } from '@tunnox/domain/tunnox-error';
import { FIELDS_MAX, HEAD_BYTES_MAX } from './limits.ts';
import { parseRequestHead } from './parse-request-head.ts';
import type { RequestHead } from './request-head.ts';

const parse = (text: string): RequestHead | null => parseRequestHead(Buffer.from(text, 'latin1'), 0);
const head = (text: string): RequestHead => parse(text) as RequestHead;
const get = (fields: string): string => `GET / HTTP/1.1\r\nHost: a.test\r\n${fields}\r\n`;
const post = (fields: string): string => `POST / HTTP/1.1\r\nHost: a.test\r\n${fields}\r\n`;

function codeOf(text: string): string {
  try {
    return parse(text) === null ? 'incomplete' : 'accepted';
  } catch (error) {
    assert.ok(error instanceof TunnoxError, String(error));
    return error.code;
  }
}

const ACCEPTED: Record<string, string> = {
  'a plain request': get(''),
  'an empty line before it': `\r\n${get('')}`,
  'HTTP/1.0 with Host': 'GET / HTTP/1.0\r\nHost: a.test\r\n\r\n',
  'a port in Host': 'GET / HTTP/1.1\r\nHost: a.test:8080\r\n\r\n',
  'an IPv6 address in Host': 'GET / HTTP/1.1\r\nHost: [::1]:8080\r\n\r\n',
  'an unknown method': 'PROPFIND / HTTP/1.1\r\nHost: a.test\r\n\r\n',
  'a value with white space around it': 'GET / HTTP/1.1\r\nHost: \t a.test \t \r\n\r\n',
  'an empty value': get('X-Empty:\r\n'),
  'bytes above 127 in a value': get('X-Name: caf\xe9\r\n'),
  'characters that browsers send': 'GET /a|b?c={d}["e"] HTTP/1.1\r\nHost: a.test\r\n\r\n',
  'the target *': 'OPTIONS * HTTP/1.1\r\nHost: a.test\r\n\r\n',
  'an absolute target': 'GET http://a.test/x HTTP/1.1\r\nHost: a.test\r\n\r\n',
  'Content-Length 0': post('Content-Length: 0\r\n'),
  'chunked in capitals': post('Transfer-Encoding: Chunked\r\n'),
  '100-continue': post('Expect: 100-Continue\r\nContent-Length: 1\r\n'),
  'any expectation in HTTP/1.0, which has none': 'GET / HTTP/1.0\r\nHost: a.test\r\nExpect: x\r\n\r\n',
  'a field that looks like framing but is not': post('X-Content-Length: 5\r\n'),
};

const MALFORMED: Record<string, string> = {
  'two Content-Length': post('Content-Length: 5\r\nContent-Length: 6\r\n'),
  'Content-Length twice the same': post('Content-Length: 5\r\nContent-Length: 5\r\n'),
  'a list in Content-Length': post('Content-Length: 5, 5\r\n'),
  'a sign in Content-Length': post('Content-Length: +5\r\n'),
  'a negative Content-Length': post('Content-Length: -5\r\n'),
  'a hexadecimal Content-Length': post('Content-Length: 0x5\r\n'),
  'a fraction in Content-Length': post('Content-Length: 5.0\r\n'),
  'an empty Content-Length': post('Content-Length:\r\n'),
  'a Content-Length beyond all numbers': post('Content-Length: 99999999999999999999\r\n'),
  'white space in Content-Length': post('Content-Length: 5 5\r\n'),
  'Content-Length with Transfer-Encoding': post('Content-Length: 5\r\nTransfer-Encoding: chunked\r\n'),
  'Transfer-Encoding with Content-Length': post('Transfer-Encoding: chunked\r\nContent-Length: 5\r\n'),
  'two Transfer-Encoding': post('Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n'),
  'a coding before chunked': post('Transfer-Encoding: gzip, chunked\r\n'),
  'a coding after chunked': post('Transfer-Encoding: chunked, identity\r\n'),
  'chunked twice': post('Transfer-Encoding: chunked, chunked\r\n'),
  'chunked with a parameter': post('Transfer-Encoding: chunked;q=1\r\n'),
  'chunked in quotes': post('Transfer-Encoding: "chunked"\r\n'),
  'a vertical tab before chunked': post('Transfer-Encoding: \vchunked\r\n'),
  'an unknown coding': post('Transfer-Encoding: xchunked\r\n'),
  identity: post('Transfer-Encoding: identity\r\n'),
  'an empty Transfer-Encoding': post('Transfer-Encoding:\r\n'),
  'Transfer-Encoding in HTTP/1.0': 'POST / HTTP/1.0\r\nHost: a.test\r\nTransfer-Encoding: chunked\r\n\r\n',
  'white space before the colon': post('Transfer-Encoding : chunked\r\n'),
  'a tab before the colon': get('X-A\t: b\r\n'),
  'a line fold': get('X-A: b\r\n c\r\n'),
  'a line fold with a tab': get('X-A: b\r\n\tc\r\n'),
  'a fold as first field': 'GET / HTTP/1.1\r\n Host: a.test\r\n\r\n',
  'bare LF after the request line': 'GET / HTTP/1.1\nHost: a.test\r\n\r\n',
  'bare LF after a field': 'GET / HTTP/1.1\r\nHost: a.test\n\r\n',
  'bare LFs only': 'GET / HTTP/1.1\nHost: a.test\n\n',
  'a bare LF as blank line': 'GET / HTTP/1.1\r\nHost: a.test\r\n\n',
  'bare CR in a value': get('X-A: b\rc\r\n'),
  'bare CR in a name': get('X\rA: b\r\n'),
  'CR twice': get('X-A: b\r\r\n'),
  'CR first': '\rGET / HTTP/1.1\r\nHost: a.test\r\n\r\n',
  'LF first': '\nGET / HTTP/1.1\r\nHost: a.test\r\n\r\n',
  'NUL in a value': get('X-A: b\0c\r\n'),
  'NUL in a name': get('X\0A: b\r\n'),
  'DEL in a value': get('X-A: b\x7f\r\n'),
  'an escape character in a value': get('X-A: \x1b[31m\r\n'),
  'an empty name': get(': b\r\n'),
  'a line without colon': get('X-A\r\n'),
  'a space in a name': get('X A: b\r\n'),
  'brackets in a name': get('X(A): b\r\n'),
  'bytes above 127 in a name': get('X-\xe9: b\r\n'),
  'no Host': 'GET / HTTP/1.1\r\n\r\n',
  'no Host in HTTP/1.0': 'GET / HTTP/1.0\r\n\r\n',
  'two Hosts': get('Host: b.test\r\n'),
  'Host twice the same': get('Host: a.test\r\n'),
  'an empty Host': 'GET / HTTP/1.1\r\nHost:\r\n\r\n',
  'a path in Host': 'GET / HTTP/1.1\r\nHost: a.test/x\r\n\r\n',
  'user information in Host': 'GET / HTTP/1.1\r\nHost: u@a.test\r\n\r\n',
  'white space in Host': 'GET / HTTP/1.1\r\nHost: a.test b.test\r\n\r\n',
  'a name as port': 'GET / HTTP/1.1\r\nHost: a.test:http\r\n\r\n',
  'bytes above 127 in Host': 'GET / HTTP/1.1\r\nHost: \xe9.test\r\n\r\n',
  'no version': 'GET /\r\nHost: a.test\r\n\r\n',
  'HTTP/0.9': 'GET / HTTP/0.9\r\nHost: a.test\r\n\r\n',
  'HTTP/1.2': 'GET / HTTP/1.2\r\nHost: a.test\r\n\r\n',
  'HTTP/2.0': 'GET / HTTP/2.0\r\nHost: a.test\r\n\r\n',
  'the preface of HTTP/2': 'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n',
  'a version in lower case': 'GET / http/1.1\r\nHost: a.test\r\n\r\n',
  'a long version': 'GET / HTTP/1.10\r\nHost: a.test\r\n\r\n',
  'two spaces after the method': 'GET  / HTTP/1.1\r\nHost: a.test\r\n\r\n',
  'two spaces before the version': 'GET /  HTTP/1.1\r\nHost: a.test\r\n\r\n',
  'a space after the version': 'GET / HTTP/1.1 \r\nHost: a.test\r\n\r\n',
  'a tab after the method': 'GET\t/ HTTP/1.1\r\nHost: a.test\r\n\r\n',
  'a space before the method': ' GET / HTTP/1.1\r\nHost: a.test\r\n\r\n',
  'a method that is no token': 'GE(T / HTTP/1.1\r\nHost: a.test\r\n\r\n',
  'no target': 'GET HTTP/1.1\r\nHost: a.test\r\n\r\n',
  'a space in the target': 'GET /a b HTTP/1.1\r\nHost: a.test\r\n\r\n',
  'NUL in the target': 'GET /a\0b HTTP/1.1\r\nHost: a.test\r\n\r\n',
  'bytes above 127 in the target': 'GET /caf\xc3\xa9 HTTP/1.1\r\nHost: a.test\r\n\r\n',
  'a fragment': 'GET /a#b HTTP/1.1\r\nHost: a.test\r\n\r\n',
  'a target without slash': 'GET a HTTP/1.1\r\nHost: a.test\r\n\r\n',
  'the target * for GET': 'GET * HTTP/1.1\r\nHost: a.test\r\n\r\n',
  'an authority as target': 'GET a.test:80 HTTP/1.1\r\nHost: a.test\r\n\r\n',
  'an absolute target with another host': 'GET http://b.test/ HTTP/1.1\r\nHost: a.test\r\n\r\n',
  'an absolute target with another port': 'GET http://a.test:81/ HTTP/1.1\r\nHost: a.test\r\n\r\n',
  'an absolute target with user information': 'GET http://u@a.test/ HTTP/1.1\r\nHost: a.test\r\n\r\n',
  'an absolute target with another scheme': 'GET ftp://a.test/ HTTP/1.1\r\nHost: a.test\r\n\r\n',
  garbage: '\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\n',
};

const INCOMPLETE: Record<string, string> = {
  nothing: '',
  'half a method': 'GE',
  'half a line': 'GET / HTTP/1.1',
  'a CR without its LF': 'GET / HTTP/1.1\r',
  'no blank line': 'GET / HTTP/1.1\r\nHost: a.test\r\n',
  'half a blank line': 'GET / HTTP/1.1\r\nHost: a.test\r\n\r',
  'half an empty line': '\r',
  'a line that is bad, but not whole': 'GET / HTTP/1.1\r\nHost : a',
};

describe('parseRequestHead()', () => {
  for (const [name, text] of Object.entries(ACCEPTED)) {
    it(`accepts ${name}`, () => assert.equal(codeOf(text), 'accepted'));
  }
  for (const [name, text] of Object.entries(MALFORMED)) {
    it(`refuses ${name}`, () => assert.equal(codeOf(text), 'malformed'));
  }
  for (const [name, text] of Object.entries(INCOMPLETE)) {
    it(`waits for more after ${name}`, () => assert.equal(codeOf(text), 'incomplete'));
  }

  it('refuses an expectation other than 100-continue with a code of its own', () => {
    assert.equal(codeOf(post('Expect: 200-ok\r\n')), 'expectation_failed');
  });

  it('takes a head of exactly HEAD_BYTES_MAX and refuses one byte more, complete or not', () => {
    const filled = (size: number): string => {
      const rest = size - get('X-A: \r\n').length;
      return get(`X-A: ${'a'.repeat(rest)}\r\n`);
    };
    assert.equal(filled(HEAD_BYTES_MAX).length, HEAD_BYTES_MAX);
    assert.equal(codeOf(filled(HEAD_BYTES_MAX)), 'accepted');
    assert.equal(codeOf(filled(HEAD_BYTES_MAX + 1)), 'head_too_large');
    assert.equal(codeOf(filled(HEAD_BYTES_MAX + 1).slice(0, HEAD_BYTES_MAX)), 'head_too_large');
    assert.equal(codeOf('A'.repeat(HEAD_BYTES_MAX)), 'head_too_large');
    assert.equal(codeOf('A'.repeat(HEAD_BYTES_MAX - 1)), 'incomplete');
  });

  it('takes FIELDS_MAX fields and refuses one more', () => {
    assert.equal(codeOf(get('A: b\r\n'.repeat(FIELDS_MAX - 1))), 'accepted');
    assert.equal(codeOf(get('A: b\r\n'.repeat(FIELDS_MAX))), 'head_too_large');
  });

  it('tells where the head ends, not touching what follows', () => {
    const text = `\r\n${post('Content-Length: 3\r\n')}abcGET`;
    assert.equal(head(text).end, text.length - 6);
  });

  it('reads how the body ends', () => {
    assert.deepEqual(head(get('')).framing, { kind: 'none' });
    assert.deepEqual(head(post('Content-Length: 0\r\n')).framing, { kind: 'none' });
    assert.deepEqual(head(post('Content-Length: 0012\r\n')).framing, { kind: 'length', bytes: 12 });
    assert.deepEqual(head(post('Transfer-Encoding: chunked \r\n')).framing, { kind: 'chunked' });
  });

  it('knows whether the connection stays', () => {
    const old = (fields: string): string => `GET / HTTP/1.0\r\nHost: a.test\r\n${fields}\r\n`;
    assert.equal(head(get('')).keepAlive, true);
    assert.equal(head(get('Connection: foo, Close\r\n')).keepAlive, false);
    assert.equal(head(get('Connection: keep-alive\r\nConnection: close\r\n')).keepAlive, false);
    assert.equal(head(old('')).keepAlive, false);
    assert.equal(head(old('Connection: Keep-Alive\r\n')).keepAlive, true);
  });

  it('keeps Host and every end-to-end field in its order and spelling', () => {
    const fields = 'Host: A.test\r\naccept:  */*\r\nCOOKIE: a=b;c\r\nX-A: 1\r\nX-A: 2\r\nVia: 1.0 other\r\n';
    assert.equal(head(`GET /x HTTP/1.1\r\n${fields}\r\n`).lines, `GET /x HTTP/1.1\r\n${fields}`);
  });

  it('drops what is meant for this hop, and what Connection names', () => {
    const { lines } = head(
      get(
        'Connection: keep-alive, X-Secret\r\nKeep-Alive: timeout=5\r\nX-A: 1\r\nX-Secret: 2\r\nTE: trailers\r\n' +
          'Proxy-Connection: x\r\nProxy-Authorization: x\r\nProxy: x\r\nUpgrade: websocket\r\nHTTP2-Settings: x\r\nX-B: 1\r\n',
      ),
    );
    assert.equal(lines, 'GET / HTTP/1.1\r\nHost: a.test\r\nX-A: 1\r\nX-B: 1\r\n');
  });

  it('writes framing in one spelling, whichever it came in', () => {
    const start = 'POST / HTTP/1.1\r\nHost: a.test\r\n';
    assert.equal(head(post('CONTENT-LENGTH:\t003\r\nA: b\r\n')).lines, `${start}A: b\r\nContent-Length: 3\r\n`);
    assert.equal(head(post('transfer-encoding:CHUNKED\t\r\n')).lines, `${start}Transfer-Encoding: chunked\r\n`);
  });

  it('does not let Connection take away framing, Host or the request line', () => {
    const text = post('Connection: content-length, host, post / http/1.\r\nContent-Length: 3\r\n');
    assert.equal(head(text).lines, 'POST / HTTP/1.1\r\nHost: a.test\r\nContent-Length: 3\r\n');
  });

  it('sets forwarding fields apart, and drops names that only mimic known ones', () => {
    const { lines, forwarding } = head(
      get(
        'X-Forwarded-For: 1.2.3.4\r\nX_Forwarded_For: 5\r\nForwarded: for=1\r\nX-Real-IP: 6\r\nContent_Length: 7\r\nx-forwarded-port: 8\r\n',
      ),
    );
    assert.equal(lines, 'GET / HTTP/1.1\r\nHost: a.test\r\n');
    assert.equal(forwarding, 'X-Forwarded-For: 1.2.3.4\r\nForwarded: for=1\r\nX-Real-IP: 6\r\nx-forwarded-port: 8\r\n');
  });

  it('keeps an upgrade only with its connection option, in HTTP/1.1, and never h2c', () => {
    assert.equal(head(get('Connection: Upgrade\r\nUpgrade: websocket\r\n')).upgrade, 'websocket');
    assert.equal(head(get('Connection: keep-alive, Upgrade\r\nUpgrade: a/1, b\r\n')).upgrade, 'a/1, b');
    assert.equal(head(get('Upgrade: websocket\r\n')).upgrade, null);
    assert.equal(head(get('Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\n')).upgrade, null);
    assert.equal(head(get('Connection: Upgrade\r\nUpgrade: websocket, H2C\r\n')).upgrade, null);
    const old = 'GET / HTTP/1.0\r\nHost: a.test\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\n';
    assert.equal(head(old).upgrade, null);
  });

  it('brings an absolute target into origin-form', () => {
    const line = (target: string, method = 'GET', host = 'a.test'): string =>
      head(`${method} ${target} HTTP/1.1\r\nHost: ${host}\r\n\r\n`).lines.split('\r\n')[0] ?? '';
    assert.equal(line('http://a.test/x?y'), 'GET /x?y HTTP/1.1');
    assert.equal(line('HTTP://A.TEST:80/'), 'GET / HTTP/1.1');
    assert.equal(line('https://a.test', 'GET', 'a.test:443'), 'GET / HTTP/1.1');
    assert.equal(line('http://a.test?y'), 'GET /?y HTTP/1.1');
    assert.equal(line('http://a.test', 'OPTIONS'), 'OPTIONS * HTTP/1.1');
  });

  it('writes HTTP/1.0 as HTTP/1.1, without an expectation', () => {
    const text = 'POST /x HTTP/1.0\r\nHost: a.test\r\nExpect: 100-continue\r\nContent-Length: 1\r\n\r\n';
    assert.equal(head(text).lines, 'POST /x HTTP/1.1\r\nHost: a.test\r\nContent-Length: 1\r\n');
    assert.equal(head(text).expectContinue, false);
  });

  it('takes TE: trailers only where Connection names it', () => {
    assert.equal(head(get('Connection: TE\r\nTE: trailers, gzip;q=0.5\r\n')).acceptsTrailers, true);
    assert.equal(head(get('TE: trailers\r\n')).acceptsTrailers, false);
    assert.equal(head(get('Connection: TE\r\nTE: gzip\r\n')).acceptsTrailers, false);
  });
});
