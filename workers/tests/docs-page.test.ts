import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { TestStack } from './test-stack.ts';

let stack: TestStack;
before(async () => {
  stack = await TestStack.start();
});
after(() => stack.stop());

async function get(path: string) {
  const answer = await fetch(stack.url + path);
  return { status: answer.status, headers: answer.headers, text: await answer.text() };
}

test('/docs is a page that needs nothing from elsewhere and nothing inline', async () => {
  const page = await get('/docs');
  assert.equal(page.status, 200);
  assert.equal(page.headers.get('content-type'), 'text/html; charset=utf-8');
  const policy = page.headers.get('content-security-policy') ?? '';
  for (const part of ["default-src 'none'", "script-src 'self'", "connect-src 'self'", "frame-ancestors 'none'"]) {
    assert.ok(policy.split('; ').includes(part), part);
  }
  assert.doesNotMatch(policy, /unsafe|https?:|\*/);
  assert.doesNotMatch(page.text, /(?:src|href)="(?:https?:)?\/\//);
  assert.doesNotMatch(page.text, /<script(?! src=)|<style|\son\w+=/);
});

test('every file of the page is there, with its type', async () => {
  const { text } = await get('/docs');
  const paths = [...text.matchAll(/(?:src|href)="(\/docs\/[^"]+)"/g)].map(([, path]) => path ?? '');
  assert.equal(paths.length, 3);
  for (const path of paths) {
    const { status, headers, text: content } = await get(path);
    assert.equal(status, 200, path);
    assert.match(headers.get('content-type') ?? '', path.endsWith('.css') ? /^text\/css/ : /^text\/javascript/);
    assert.equal(headers.get('x-content-type-options'), 'nosniff');
    assert.ok(content.length > 100, path);
  }
});
