import assert from 'node:assert/strict';
import { test } from 'node:test';
import { AgentApi } from '@tunnox/api-client/agent-api';
import { ApiCaller } from '@tunnox/api-client/api-caller';
import type { HttpRequest } from '@tunnox/api-client/http-transport';
import { FakeClock } from '@tunnox/testing/fake-clock';
import type { AgentCredential } from './credential.ts';
import { Identity } from './identity.ts';
import { tokenLifetimeMs } from './token-lifetime.ts';

const token = (lifetimeS: number): string =>
  `e30.${Buffer.from(JSON.stringify({ iat: 1000, exp: 1000 + lifetimeS })).toString('base64url')}.`;

const session = (version: number, more: object = {}) => ({
  client_id: 600_000_001,
  client_type: 'managed',
  user_id: 1,
  access_token: token(3600),
  access_token_expires_at: '2026-01-01T00:00:00Z',
  ticket: token(43_200),
  ticket_expires_at: '2026-01-01T00:00:00Z',
  relays: [],
  base_domain: 'x',
  http_url: '{host}',
  https_url: '{host}',
  config: { version, bindings: [] },
  ...more,
});

function setUp(
  answers: [status: number, body: unknown][],
  credentials: AgentCredential[] = [{ clientId: 1, authCode: 'c' }],
) {
  const clock = new FakeClock();
  const requests: { path: string; request: HttpRequest }[] = [];
  const saved: object[] = [];
  const forgotten: string[] = [];
  const superseded: (number | null)[] = [];
  const caller = new ApiCaller(
    {
      transport: async (url, request) => {
        requests.push({ path: url.replace('https://x', ''), request });
        const [status, body] = answers.shift() ?? assert.fail('an answer for every request');
        return { status, headers: new Headers(), text: async () => (body === null ? '' : JSON.stringify(body)) };
      },
    },
    { server: 'https://x', userAgent: 'test' },
  );
  const identity = new Identity(
    {
      api: new AgentApi(caller),
      clock,
      credentials: {
        current: () => credentials[0] ?? {},
        save: async (made) => void saved.push(made),
        superseded: async (newClientId) => void superseded.push(newClientId),
        forget: async (reason) => {
          forgotten.push(reason);
          credentials.shift();
          return credentials.length > 0;
        },
      },
    },
    { agentVersion: '1' },
  );
  return { identity, clock, requests, saved, forgotten, superseded };
}

test('Identity.renew() shows the code of a client and not the key, and makes one call for all who ask', async () => {
  const { identity, requests } = setUp([[200, session(1)]], [{ clientId: 1, authCode: 'c', apiKey: 'k' }]);
  const outcomes = await Promise.all([identity.renew(), identity.renew()]);
  assert.deepEqual(
    outcomes.map(({ kind }) => kind),
    ['ready', 'ready'],
  );
  assert.equal(requests.length, 1);
  assert.equal(requests[0]?.request.headers['authorization'], undefined);
  assert.deepEqual(JSON.parse(requests[0]?.request.body ?? ''), {
    agent_version: '1',
    protocol: 1,
    client_id: 1,
    auth_code: 'c',
  });
});

test('Identity.renew() makes a new client by the key, and keeps its code before it is used', async () => {
  const { identity, requests, saved } = setUp([[200, session(1, { auth_code: 'new' })]], [{ apiKey: 'k' }]);
  await identity.renew();
  assert.equal(requests[0]?.request.headers['authorization'], 'Bearer k');
  assert.deepEqual(saved, [{ clientId: 600_000_001, authCode: 'new', claimedFrom: null }]);
  assert.equal(identity.unconfirmed, false);
});

test('Identity.renew() takes another credential when one is not accepted, until there is none', async () => {
  const problem = (code: string) => ({ code, title: code });
  const { identity, forgotten } = setUp(
    [
      [401, problem('unauthenticated')],
      [404, problem('not_found')],
      [401, problem('unauthenticated')],
    ],
    [{ clientId: 1, authCode: 'c' }, { clientId: 1, apiKey: 'k' }, { apiKey: 'k' }],
  );
  const outcome = await identity.renew();
  assert.ok(outcome.kind === 'final');
  assert.equal(outcome.ending.code, 'unauthenticated');
  assert.deepEqual(forgotten, ['unauthenticated', 'not_found', 'unauthenticated']);
});

test('Identity.renew() saves what a claimed client has become, and shows its new code next', async () => {
  const credentials: AgentCredential[] = [{ clientId: 200_000_001, authCode: 'old' }];
  const { identity, requests, saved } = setUp(
    [
      [200, session(1, { auth_code: 'new' })],
      [200, session(1)],
    ],
    credentials,
  );
  await identity.renew();
  assert.deepEqual(saved, [{ clientId: 600_000_001, authCode: 'new', claimedFrom: 200_000_001 }]);
  assert.equal(identity.unconfirmed, true);
  credentials[0] = { clientId: 600_000_001, authCode: 'new' };
  await identity.renew();
  assert.equal(JSON.parse(requests[1]?.request.body ?? '').auth_code, 'new');
  assert.equal(identity.unconfirmed, false);
});

test('Identity.renew() ends, and tells the keeper, when the new code of a claimed client is given out no more', async () => {
  const { identity, superseded } = setUp([
    [403, { code: 'client_claimed', detail: 'gone', new_client_id: 600_000_009 }],
  ]);
  const outcome = await identity.renew();
  assert.deepEqual(outcome, {
    kind: 'final',
    ending: { code: 'claimed', message: 'gone', apiCode: 'client_claimed' },
  });
  assert.deepEqual(superseded, [600_000_009]);
});

test('Identity.renew() comes again in half a minute when the client is switched off', async () => {
  const { identity } = setUp([[403, { code: 'client_disabled' }]]);
  const outcome = await identity.renew();
  assert.deepEqual([outcome.kind, outcome.kind === 'failed' && outcome.retryAfterMs], ['failed', 30_000]);
});

test('Identity.renew() says when to come again', async () => {
  const { identity } = setUp([[503, { code: 'unavailable' }]]);
  const outcome = await identity.renew();
  assert.ok(outcome.kind === 'failed');
  assert.equal(outcome.error.code, 'unavailable');
});

test('Identity.ticket is null from its rejection to the next session', async () => {
  const { identity } = setUp([
    [200, session(1, { ticket: 'one' })],
    [200, session(1, { ticket: 'two' })],
  ]);
  assert.equal(identity.ticket, null);
  await identity.renew();
  identity.rejectTicket('zero');
  assert.equal(identity.ticket, 'one');
  identity.rejectTicket('one');
  assert.equal(identity.ticket, null);
  await identity.renew();
  assert.equal(identity.ticket, 'two');
});

test('Identity.config() asks with the access token, and for a new session once that is old or refused', async () => {
  const { identity, clock, requests } = setUp([
    [200, session(1)],
    [204, null],
    [200, session(2)],
    [401, { code: 'unauthenticated' }],
    [200, session(3)],
  ]);
  await identity.renew();
  assert.equal(await identity.config(1), null);
  clock.advance(3600 * 900);
  assert.equal((await identity.config(1))?.version, 2);
  assert.equal((await identity.config(2))?.version, 3);
  assert.deepEqual(
    requests.map(({ path }) => path),
    [
      '/agent/v1/session',
      '/agent/v1/config?since=1&delta=1',
      '/agent/v1/session',
      '/agent/v1/config?since=2&delta=1',
      '/agent/v1/session',
    ],
  );
});

test('tokenLifetimeMs() goes by the claims of the token, and assumes an hour without them', () => {
  assert.equal(tokenLifetimeMs(token(60)), 60_000);
  for (const opaque of ['', 'x', 'a.b.c', `e30.${Buffer.from('{"exp":5}').toString('base64url')}.`]) {
    assert.equal(tokenLifetimeMs(opaque), 3_600_000);
  }
});
