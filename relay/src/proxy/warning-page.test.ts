import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { DirectUpstream, startHttpTarget, startProxy } from './test-support/proxy-fixture.ts';
import { RawClient } from './test-support/raw-client.ts';

const BROWSER = 'User-Agent: Mozilla/5.0\r\nAccept: text/html,*/*;q=0.8\r\n';
const NAVIGATION = `${BROWSER}Sec-Fetch-Mode: navigate\r\nSec-Fetch-Dest: document\r\n`;

async function ask(port: number, fields: string, method = 'GET'): Promise<string> {
  const client = await RawClient.connect(port);
  client.send(`${method} //evil.test/x HTTP/1.1\r\nHost: a.test\r\nConnection: close\r\n${fields}\r\n`);
  return client.untilEnd();
}

const isWarning = (answer: string): boolean => answer.includes('<h1>You are about to visit a.test</h1>');

describe('warning page', () => {
  it('is shown to a browser that goes to an anonymous name, once', async (t) => {
    const target = await startHttpTarget(t, (_request, response) => {
      response.setHeader('Set-Cookie', ['tunnox_warned=1; Path=/', 'own=2']);
      response.end('served');
    });
    const { port, router } = await startProxy(t);
    router.open('a.test', new DirectUpstream(target), { warning_page: true });
    for (const fields of [NAVIGATION, BROWSER]) {
      const page = await ask(port, fields);
      assert.ok(isWarning(page), fields);
      const cookie = /\r\nSet-Cookie: ([^;]+);/.exec(page)?.[1];
      assert.equal(cookie, 'tunnox_warned=1');
      assert.doesNotMatch(page, /href="[^"]*evil/);
      assert.match(await ask(port, `${fields}Cookie: a=b; ${cookie}; c=d\r\n`), /served$/);
    }
  });

  it('is never shown to programs, sub-requests, other methods, and those that decline it', async (t) => {
    const target = await startHttpTarget(t, (_request, response) => response.end('served'));
    const { port, router } = await startProxy(t);
    router.open('a.test', new DirectUpstream(target), { warning_page: true });
    assert.match(await ask(port, ''), /served$/);
    assert.match(await ask(port, 'User-Agent: curl/8\r\nAccept: */*\r\n'), /served$/);
    assert.match(await ask(port, 'Accept: text/html\r\n'), /served$/);
    assert.match(await ask(port, `${BROWSER}Sec-Fetch-Mode: cors\r\n`), /served$/);
    assert.match(await ask(port, `${NAVIGATION}Tunnox-Skip-Warning: 1\r\n`), /served$/);
    assert.match(await ask(port, `${NAVIGATION}Content-Length: 0\r\n`, 'POST'), /served$/);
  });

  it('does not count when it is shown in a frame, and a target cannot say that it was seen', async (t) => {
    const target = await startHttpTarget(t, (_request, response) => {
      response.setHeader('Set-Cookie', ['tunnox_warned=1; Path=/', 'own=2']);
      response.end('served');
    });
    const { port, router } = await startProxy(t);
    router.open('a.test', new DirectUpstream(target), { warning_page: true });
    const framed = await ask(port, `${BROWSER}Sec-Fetch-Mode: navigate\r\nSec-Fetch-Dest: iframe\r\n`);
    assert.ok(isWarning(framed));
    assert.doesNotMatch(framed, /Set-Cookie/);
    assert.match(framed, /\r\nContent-Security-Policy: frame-ancestors 'none'\r\n/);
    const served = await ask(port, '');
    assert.match(served, /\r\nSet-Cookie: own=2\r\n/);
    assert.doesNotMatch(served, /tunnox_warned/);
  });

  it('is not shown for other names, nor where it is switched off', async (t) => {
    const target = await startHttpTarget(t, (_request, response) => response.end('served'));
    const off = await startProxy(t, { warningPages: false });
    off.router.open('a.test', new DirectUpstream(target), { warning_page: true });
    assert.match(await ask(off.port, NAVIGATION), /served$/);
    const { port, router } = await startProxy(t);
    router.open('a.test', new DirectUpstream(target));
    assert.match(await ask(port, NAVIGATION), /served$/);
  });
});
