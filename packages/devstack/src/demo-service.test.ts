import assert from 'node:assert/strict';
import { request } from 'node:http';
import { text } from 'node:stream/consumers';
import { after, before, test } from 'node:test';
import { DemoService } from './demo-service.ts';

const service = new DemoService('demo.tunnox.localhost');
before(() => service.start());
after(() => service.stop());

async function get(
  headers: Record<string, string>,
  method = 'GET',
): Promise<{ status: number | undefined; body: string }> {
  return await new Promise((resolve, reject) => {
    const asked = request({ host: '127.0.0.1', port: service.port, headers, method, path: '/?a=<b>' });
    asked.on(
      'response',
      (response) => void text(response).then((body) => resolve({ status: response.statusCode, body }), reject),
    );
    asked.on('error', reject);
    asked.end();
  });
}

test('DemoService shows what arrived, as text', async () => {
  const { status, body } = await get({ host: 'Demo.tunnox.localhost:9012', 'x-markup': '<script>"&\'' });
  assert.equal(status, 200);
  assert.match(body, /It works/);
  assert.match(body, /GET \/\?a=&#60;b&#62; HTTP\/1\.1/);
  assert.match(body, /&#60;script&#62;&#34;&#38;&#39;/);
  assert.doesNotMatch(body, /<script>/);
});

test('DemoService answers HEAD without a body and other hosts not at all', async () => {
  assert.deepEqual(await get({ host: 'demo.tunnox.localhost' }, 'HEAD'), { status: 200, body: '' });
  for (const host of ['127.0.0.1', 'evil.example', 'demo.tunnox.localhost.evil.example']) {
    assert.equal((await get({ host })).status, 421);
  }
});
