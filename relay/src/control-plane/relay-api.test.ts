import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { test, type TestContext } from 'node:test';
import { ControlPlaneError } from './control-plane-error.ts';
import { RelayApi } from './relay-api.ts';

async function bench(
  t: TestContext,
  answer: (request: IncomingMessage, response: ServerResponse) => void,
): Promise<RelayApi> {
  const server = createServer(answer);
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const api = new RelayApi({ baseUrl: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, ca: null });
  t.after(async () => {
    await api.close();
    server.close();
    server.closeAllConnections();
  });
  return api;
}

function json(response: ServerResponse, status: number, value: unknown, headers: Record<string, string> = {}): void {
  response.writeHead(status, { 'content-type': 'application/json', ...headers });
  response.end(JSON.stringify(value));
}

async function errorOf(call: Promise<unknown>): Promise<ControlPlaneError> {
  const error: unknown = await call.then(
    () => null,
    (reason: unknown) => reason,
  );
  assert.ok(error instanceof ControlPlaneError);
  return error;
}

test('RelayApi asks with its token and reads the answer', async (t) => {
  const seen: (string | undefined)[] = [];
  const api = await bench(t, (request, response) => {
    seen.push(request.url, request.headers.authorization);
    json(response, 200, { found: false });
  });
  api.setToken('abc');
  assert.deepEqual(await api.lookup('tcp:default:20000'), { found: false });
  assert.deepEqual(seen, ['/relay/v1/lookup?endpoint=tcp%3Adefault%3A20000', 'Bearer abc']);
  assert.equal(api.reachable, true);
});

test('RelayApi tells refusals, outages and answers that make no sense apart', async (t) => {
  const problem = { code: 'unavailable', detail: 'Postgres is away' };
  const api = await bench(t, (request, response) => {
    if (request.url === '/relay/v1/keys') json(response, 503, problem, { 'retry-after': '7' });
    else if (request.url === '/relay/v1/peers') json(response, 200, { peers: 'none' });
    else if (request.url === '/relay/v1/detach') response.writeHead(204).end();
    else json(response, 422, 'not a problem document');
  });
  const unavailable = await errorOf(api.keys());
  assert.deepEqual(
    [unavailable.status, unavailable.code, unavailable.retryAfterMs, unavailable.retryable, unavailable.message],
    [503, 'unavailable', 7000, true, 'Postgres is away'],
  );
  assert.equal(api.reachable, false);
  const senseless = await errorOf(api.peers());
  assert.deepEqual([senseless.status, senseless.retryable], [0, true]);
  const refused = await errorOf(api.lookup('x'));
  assert.deepEqual([refused.status, refused.code, refused.retryable], [422, '', false]);
  await api.detach({ clients: [] });
});

test('RelayApi says that its token was refused, except by register', async (t) => {
  const api = await bench(t, (_request, response) => json(response, 401, { code: 'unauthenticated' }));
  let unauthorized = 0;
  api.onUnauthorized = () => unauthorized++;
  assert.equal((await errorOf(api.keys())).retryable, true);
  assert.equal(unauthorized, 1);
  await errorOf(api.register({} as Parameters<RelayApi['register']>[0]));
  assert.equal(unauthorized, 1);
});

test('RelayApi takes a control plane that hangs up or is not there as away', async (t) => {
  const api = await bench(t, (request) => request.socket.destroy());
  const error = await errorOf(api.lookup('x'));
  assert.deepEqual([error.status, error.retryable, api.reachable], [0, true, false]);
  const nobody = new RelayApi({ baseUrl: 'http://127.0.0.1:1', ca: null });
  t.after(() => nobody.close());
  assert.equal((await errorOf(nobody.lookup('x'))).status, 0);
});
