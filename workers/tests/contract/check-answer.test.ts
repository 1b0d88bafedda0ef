import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ApiDocument } from './api-document.ts';
import { contractFaults } from './check-answer.ts';

const Thing = {
  type: 'object',
  properties: { id: { type: 'integer' }, inner: { type: 'object', properties: { at: { type: 'string' } } } },
  required: ['id'],
};
const api = new ApiDocument({
  openapi: '3.1.0',
  paths: {
    '/thing': {
      get: {
        operationId: 'getThing',
        responses: {
          200: {
            description: 'The thing',
            headers: { ETag: { schema: { type: 'string' } } },
            content: { 'application/json': { schema: { $ref: '#/components/schemas/Thing' } } },
          },
          204: { description: 'Done' },
          404: { $ref: '#/components/responses/NotFound' },
        },
      },
    },
  },
  components: {
    schemas: { Thing },
    responses: {
      NotFound: {
        description: 'None',
        content: { 'application/problem+json': { schema: {}, examples: { not_found: { value: {} } } } },
      },
    },
  },
});
const [operation] = api.operations;
assert.ok(operation);

const faults = (status: number, body: string, headers: Record<string, string>) =>
  contractFaults(api, operation, { status, text: body, headers: new Headers(headers) });

const JSON_HEADERS = { 'content-type': 'application/json; charset=utf-8', etag: '"1"' };
const PROBLEM_HEADERS = { 'content-type': 'application/problem+json' };

test('contractFaults() has nothing to say about answers that are as declared', () => {
  assert.deepEqual(faults(200, '{"id":1,"inner":{"at":"x"}}', JSON_HEADERS), []);
  assert.deepEqual(faults(204, '', {}), []);
  assert.deepEqual(faults(404, '{"code":"not_found"}', PROBLEM_HEADERS), []);
});

for (const [what, status, body, headers] of [
  ['a fault of ours', 500, '{}', PROBLEM_HEADERS],
  ['a status that is not declared', 409, '{}', PROBLEM_HEADERS],
  ['a code that is not declared', 404, '{"code":"conflict"}', PROBLEM_HEADERS],
  ['a missing member', 200, '{}', JSON_HEADERS],
  ['a member of another type', 200, '{"id":"1"}', JSON_HEADERS],
  ['a member that is not declared', 200, '{"id":1,"secret":2}', JSON_HEADERS],
  ['one deep inside', 200, '{"id":1,"inner":{"at":"x","secret":2}}', JSON_HEADERS],
  ['a missing header', 200, '{"id":1}', { 'content-type': 'application/json' }],
  ['another media type', 200, '{"id":1}', { ...JSON_HEADERS, 'content-type': 'text/html' }],
  ['a body where none is declared', 204, '{}', JSON_HEADERS],
] as const) {
  test(`contractFaults() finds ${what}`, () => {
    assert.equal(faults(status, body, headers).length, 1);
  });
}
