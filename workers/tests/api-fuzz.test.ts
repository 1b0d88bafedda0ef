import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { CloudflareFake } from '@tunnox/testing/cloudflare-fake';
import fc, { type Arbitrary } from 'fast-check';
import {
  ApiDocument,
  type DocumentOperation,
  type DocumentParameter,
  type Json,
  type Schema,
} from './contract/api-document.ts';
import { type ApiRequest, sendRequest, withExisting } from './contract/api-request.ts';
import { contractFaults } from './contract/check-answer.ts';
import { makeHousehold, makeNeighbourhood } from './contract/household.ts';
import { type Existing, spoiled, valueOf } from './contract/schema-arbitrary.ts';
import { FakeRelay } from './fake-relay.ts';
import { TestStack } from './test-stack.ts';

/** The same requests in each run; FUZZ_SEED gives others, FUZZ_RUNS more of them. A failure prints both. */
const SEED = Number(process.env['FUZZ_SEED'] ?? 20_260_101);
const RUNS = Number(process.env['FUZZ_RUNS'] ?? 30);

let stack: TestStack;
let relay: FakeRelay;
let cloudflare: CloudflareFake;
let api: ApiDocument;
let around: Existing;
before(async () => {
  cloudflare = await CloudflareFake.start();
  cloudflare.addZone('example.com');
  stack = await TestStack.start({ CLOUDFLARE_API_URL: cloudflare.url });
  relay = new FakeRelay(stack.url);
  const { body } = await stack.asOperator('POST', '/join-tokens', {});
  await relay.register({ join_token: body['join_token'] as string });
  around = { ...(await makeNeighbourhood(stack, relay.nodeId)), token: [cloudflare.addToken()] };
  api = new ApiDocument((await stack.call('GET', '//openapi.json')).body);
});
after(async () => {
  await stack.stop();
  await cloudflare.stop();
});

test('no operation answers otherwise than the document says, whatever is asked by whom', async (t) => {
  const statuses = new Map<string, Map<number, number>>();
  for (const operation of api.operations) {
    await t.test(operation.name, async () => {
      // Each operation finds everything there, whatever the one before has deleted.
      const household = await makeHousehold(stack, around);
      const seen = new Map<number, number>();
      statuses.set(operation.name, seen);
      await fc.assert(
        fc.asyncProperty(requestsOf(operation, household.existing), async (request) => {
          const answer = await sendRequest(stack.url, operation.method, request, household);
          seen.set(answer.status, (seen.get(answer.status) ?? 0) + 1);
          assert.deepEqual(contractFaults(api, operation, answer), []);
        }),
        // What was deleted by the first failure is gone for a smaller one.
        { seed: SEED, numRuns: RUNS, endOnFailure: true },
      );
    });
  }
  // Otherwise the requests are too odd to reach what they are for.
  const never = [...statuses].filter(([, seen]) => ![...seen.keys()].some((status) => status < 300));
  assert.ok(never.length <= statuses.size / 8, `these have never succeeded: ${never.map(([name]) => name).join(', ')}`);
});

function requestsOf(operation: DocumentOperation, existing: Existing): Arbitrary<ApiRequest> {
  const parameters = operation.parameters.filter((one) => one.name !== 'Idempotency-Key');
  const content = operation.requestBody?.content['application/json'];
  const good = content === undefined ? null : bodyOf(content, existing);
  const body: Arbitrary<string | undefined> =
    good === null
      ? fc.oneof({ weight: 9, arbitrary: fc.constant(undefined) }, { weight: 1, arbitrary: fc.constant('{}') })
      : fc.oneof(
          { weight: 6, arbitrary: good.map((value) => JSON.stringify(value)) },
          { weight: 4, arbitrary: spoiled(good).map((value) => JSON.stringify(value)) },
          {
            weight: 1,
            arbitrary: fc.constantFrom(undefined, '', '{', 'null', '\u0000', '{"a":1}}', `[${'['.repeat(500)}`),
          },
        );
  return fc
    .record({
      // Most of what there is to find is behind the door.
      caller: fc.oneof(
        { weight: 8, arbitrary: fc.constantFrom('operator' as const, 'tenant' as const) },
        { weight: 3, arbitrary: fc.constantFrom('agent' as const, 'anonymous' as const, 'reader' as const) },
        { weight: 1, arbitrary: fc.constant('nobody' as const) },
      ),
      values: fc.tuple(...parameters.map((parameter) => parameterOf(parameter, existing))),
      unknownQuery: fc.oneof(
        { weight: 19, arbitrary: fc.constant('') },
        { weight: 1, arbitrary: fc.constant('nonsense=1') },
      ),
      type: fc.oneof(
        { weight: 19, arbitrary: fc.constant('application/json') },
        { weight: 1, arbitrary: fc.constantFrom('text/plain', 'application/json; charset=utf-8', 'application/xml') },
      ),
      key: fc.option(fc.stringMatching(/^[\x21-\x7e]{1,20}$/), { freq: 4, nil: undefined }),
      body,
    })
    .map(({ caller, values, unknownQuery, type, key, body: text }) => {
      const query: string[] = unknownQuery === '' ? [] : [unknownQuery];
      const headers: Record<string, string> = {};
      let target = operation.path;
      for (const [index, { name, in: place }] of parameters.entries()) {
        const value = values[index];
        if (value === undefined) continue;
        if (place === 'path') target = target.replace(`{${name}}`, encodeURIComponent(value));
        else if (place === 'query') query.push(`${encodeURIComponent(name)}=${encodeURIComponent(value)}`);
        else headers[name] = value;
      }
      if (text !== undefined) headers['content-type'] = type;
      if (key !== undefined && operation.method === 'POST')
        headers['idempotency-key'] = `${operation.operationId}-${key}`;
      return { caller, target: query.length === 0 ? target : `${target}?${query.join('&')}`, headers, body: text };
    });
}

/** Bodies that the schema allows, and such as the document shows: those are likely to be carried out. */
function bodyOf(content: { schema: Schema; example?: unknown }, existing: Existing): Arbitrary<Json> {
  const any = valueOf(api, content.schema, existing);
  const shown = withExisting(content.example as Json, existing);
  if (typeof shown !== 'object' || shown === null || Array.isArray(shown)) return any;
  const varied = fc.tuple(any, fc.array(fc.constantFrom('', ...Object.keys(shown)))).map(([other, names]) => {
    const taken = Object.entries(other as Record<string, Json>).filter(([name]) => names.includes(name));
    return { ...shown, ...Object.fromEntries(taken) };
  });
  return fc.oneof(any, fc.constant(shown), varied);
}

/** A parameter's text, odd at times; undefined: it is left out. */
function parameterOf(parameter: DocumentParameter, existing: Existing): Arbitrary<string | undefined> {
  const { name, in: place, schema } = parameter;
  if (place === 'header') {
    return fc.constantFrom(undefined, undefined, undefined, '*', '"1"', 'W/"1"', '"1", "2"', 'nonsense');
  }
  const good = valueOf(api, schema, existing, name).map(toText);
  const odd = spoiled(good).map(toText);
  // An empty or a dotted segment is another path.
  const fits = (text: string) => text.isWellFormed() && (place !== 'path' || !/^\.{0,2}$/.test(text));
  const any = fc.oneof({ weight: 7, arbitrary: good }, { weight: 1, arbitrary: odd }).filter(fits);
  if (place === 'path' || parameter.required === true) return any;
  return fc.option(any, { freq: 2, nil: undefined });
}

function toText(value: Json): string {
  return typeof value === 'string' ? value : JSON.stringify(value);
}
