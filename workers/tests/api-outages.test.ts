import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { UpstashGateway } from '@tunnox/gateways/upstash-gateway';
import { CloudflareFake } from '@tunnox/testing/cloudflare-fake';
import { needs } from '@tunnox/testing/needs';
import { type RedisFixture, startRedis } from '@tunnox/testing/redis-fixture';
import { ApiDocument } from './contract/api-document.ts';
import { sendRequest, shownRequests } from './contract/api-request.ts';
import { contractFaults } from './contract/check-answer.ts';
import { type Callers, makeHousehold, makeNeighbourhood } from './contract/household.ts';
import type { Existing } from './contract/schema-arbitrary.ts';
import { FakeRelay } from './fake-relay.ts';
import { TestStack } from './test-stack.ts';

const CALLERS = ['tenant', 'operator'] as const satisfies (keyof Callers)[];

async function prepare(vars: Record<string, string>) {
  // The relay says nothing, and shall stay for as long as all the requests take.
  const stack = await TestStack.start({ RELAY_LEASE_MS: '600000', ...vars });
  const relay = new FakeRelay(stack.url);
  const { body } = await stack.asOperator('POST', '/join-tokens', {});
  await relay.register({ join_token: body['join_token'] as string });
  const api = new ApiDocument((await stack.call('GET', '//openapi.json')).body);
  return { stack, api, around: () => makeNeighbourhood(stack, relay.nodeId) };
}

describe('without Postgres', () => {
  let stack: TestStack;
  let around: () => Promise<Existing>;
  let api: ApiDocument;
  before(async () => {
    ({ stack, around, api } = await prepare({}));
  });
  after(() => stack.stop());

  test('every operation answers 503 and when to try again', async () => {
    const household = await makeHousehold(stack, await around());
    await stack.cutDatabase();
    const faults: string[] = [];
    for (const caller of CALLERS) {
      for (const { operation, request } of shownRequests(api, household.existing, caller)) {
        if (operation.path === '/healthz') continue;
        const { status, headers, text } = await sendRequest(stack.url, operation.method, request, household);
        const { code } = JSON.parse(text) as { code?: string };
        const right = status === 503 && code === 'unavailable' && /^[1-9]\d*$/.test(headers.get('retry-after') ?? '');
        // What an operator's request lacks, or who it is, is told without the database.
        if (!right && (caller === 'tenant' || status >= 500)) {
          faults.push(`${operation.name} by ${caller}: ${status} ${text}`);
        }
      }
    }
    assert.deepEqual(faults, []);
  });
});

describe('without Redis', { skip: needs('redis-server') }, () => {
  let redis: RedisFixture;
  let gateway: UpstashGateway;
  let cloudflare: CloudflareFake;
  let stack: TestStack;
  let around: () => Promise<Existing>;
  let api: ApiDocument;
  before(async () => {
    redis = await startRedis();
    const token = 'token-of-the-gateway';
    gateway = new UpstashGateway(
      { log: { warn: () => {} } },
      { host: '127.0.0.1', port: 0, redisUrl: redis.url, token },
    );
    await gateway.start();
    cloudflare = await CloudflareFake.start();
    cloudflare.addZone('example.com');
    const vars = { UPSTASH_REDIS_REST_URL: gateway.url, UPSTASH_REDIS_REST_TOKEN: token };
    const prepared = await prepare({ ...vars, CLOUDFLARE_API_URL: cloudflare.url });
    ({ stack, api } = prepared);
    around = async () => ({ ...(await prepared.around()), token: [cloudflare.addToken()] });
  });
  after(async () => {
    await stack?.stop();
    await cloudflare?.stop();
    await gateway?.stop();
    await redis?.stop();
  });

  test('every operation does what it does with it', async () => {
    const statusesOf = async () => {
      const answers: string[] = [];
      for (const caller of CALLERS) {
        // Things of its own: what one deletes, the other still has.
        const household = await makeHousehold(stack, await around());
        for (const { operation, request } of shownRequests(api, household.existing, caller)) {
          const answer = await sendRequest(stack.url, operation.method, request, household);
          const faults = contractFaults(api, operation, answer);
          // The second time there are a few things that the first has made.
          const status = answer.status === 409 ? 201 : answer.status;
          answers.push(`${operation.name} by ${caller}: ${status} ${faults.join()}`);
        }
      }
      return answers;
    };
    const before = await statusesOf();
    assert.ok(before.filter((line) => / 20\d $/.test(line)).length > before.length / 2, 'most of them succeed');
    await gateway.stop();
    assert.deepEqual(await statusesOf(), before);
  });
});
