import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { Validator } from '@seriousme/openapi-schema-validator';
import { ERROR_CODES, type ErrorCode } from '@tunnox/domain/error-codes';
import { ApiDocument, type DocumentOperation, type Schema } from './contract/api-document.ts';
import { TestStack } from './test-stack.ts';

let stack: TestStack;
let api: ApiDocument;
before(async () => {
  stack = await TestStack.start();
  api = new ApiDocument((await stack.call('GET', '//openapi.json')).body);
});
after(() => stack.stop());

const managed = () => api.operations.filter(({ path }) => path.startsWith('/api/v1/'));

/** Every node of the document with its JSON pointer. */
function* nodes(node: unknown, pointer = ''): Generator<[string, Schema]> {
  if (typeof node !== 'object' || node === null) return;
  yield [pointer, node];
  for (const [key, child] of Object.entries(node)) {
    yield* nodes(child, `${pointer}/${key.replaceAll('~', '~0').replaceAll('/', '~1')}`);
  }
}

/** Faults of all operations together: one run shows them all. */
function faultsOf(operations: readonly DocumentOperation[], find: (operation: DocumentOperation) => string[]): void {
  const faults = operations.flatMap((operation) => find(operation).map((fault) => `${operation.name}: ${fault}`));
  assert.deepEqual(faults, []);
}

test('the document is OpenAPI 3.1, as an independent validator sees it', async () => {
  const result = await new Validator().validate(structuredClone(api.raw));
  assert.deepEqual([result.valid, result.errors], [true, undefined]);
  assert.equal(api.raw['openapi'], '3.1.0');
  const { title, version, description, license, contact } = api.raw['info'] as Record<string, unknown>;
  for (const one of [title, version, description, license, contact]) assert.ok(one !== undefined && one !== '');
});

test('every reference points at something, and every component is used', () => {
  const used = new Set<string>();
  for (const [pointer, node] of nodes(api.raw)) {
    if (typeof node['$ref'] !== 'string') continue;
    assert.doesNotThrow(() => api.resolve(node), pointer);
    used.add(node['$ref']);
  }
  for (const [kind, components] of Object.entries(api.raw['components'] as Record<string, Schema>)) {
    if (kind === 'securitySchemes') continue;
    for (const name of Object.keys(components)) {
      assert.ok(used.has(`#/components/${kind}/${name}`), `${kind}/${name} is used`);
    }
  }
});

test('every operation tells its name, what it does, where it belongs, and who may use it', () => {
  const ids = api.operations.map(({ operationId }) => operationId);
  assert.equal(new Set(ids).size, ids.length);
  const tags = (api.raw['tags'] as { name: string; description: string }[]).map(({ name, description }) => {
    assert.ok(description.length > 10, name);
    return name;
  });
  const usedTags = new Set(api.operations.flatMap((operation) => operation.tags ?? []));
  assert.deepEqual([...usedTags].sort(), [...tags].sort());
  faultsOf(api.operations, ({ operationId, summary, tags: itsTags, security }) => [
    ...(/^[a-z][A-Za-z]+$/.test(operationId) ? [] : ['operationId is not in camelCase']),
    ...(summary !== undefined && summary.length >= 8 ? [] : ['no summary']),
    ...(itsTags?.length === 1 ? [] : ['not exactly one tag']),
    ...(security === undefined ? ['no security'] : []),
  ]);
  faultsOf(managed(), ({ path, security = [] }) => {
    if (/^\/api\/v1\/auth\/(?:login|refresh|logout)/.test(path)) return [];
    return security.length > 0 && security.every(({ bearer }) => bearer?.length === 1) ? [] : ['no scopes'];
  });
});

test('every parameter has a schema and says what it means', () => {
  faultsOf(api.operations, ({ path, parameters }) => [
    ...parameters.flatMap(({ name, description, schema }) => [
      ...(description !== undefined && description.length >= 8 ? [] : [`nothing about ${name}`]),
      ...(Object.keys(schema).length > 0 ? [] : [`${name} has no schema`]),
    ]),
    ...[...path.matchAll(/\{(\w+)\}/g)].flatMap(([, name]) =>
      parameters.some((one) => one.in === 'path' && one.name === name && one.required === true) ? [] : [`no ${name}`],
    ),
  ]);
});

test('every body has an example that its own schema accepts', () => {
  faultsOf(api.operations, ({ requestBody }) => {
    const content = requestBody?.content['application/json'];
    if (requestBody === undefined) return [];
    if (content?.example === undefined) return ['a body without an example'];
    return api.faults(content.example, content.schema);
  });
});

test('every answer is described, and those with a body have its schema', () => {
  faultsOf(api.operations, ({ responses }) =>
    Object.entries(responses).flatMap(([status, { description, content, headers }]) => [
      ...(description === undefined || description === '' ? [`nothing about ${status}`] : []),
      ...(status !== '204' && status !== '101' && content === undefined ? [`${status} without content`] : []),
      ...(headers?.['X-Request-Id'] === undefined ? [`${status} without X-Request-Id`] : []),
      ...Object.values(content ?? {}).flatMap(({ schema, example }) =>
        example === undefined ? [] : api.faults(example, schema).map((fault) => `example of ${status}: ${fault}`),
      ),
    ]),
  );
});

test('every error of an operation has its code, its status, and an example', () => {
  const always = { get: [401, 403, 422, 429, 500, 503], other: [400, 401, 403, 413, 415, 422, 429, 500, 503] };
  faultsOf(managed(), ({ method, security, responses }) => {
    const wanted = (method === 'GET' ? always.get : always.other).filter(
      (status) => security?.length !== 0 || ![401, 403].includes(status),
    );
    return [
      ...wanted.filter((status) => !(status in responses)).map((status) => `no ${status}`),
      ...('default' in responses ? ['a default answer'] : []),
      ...Object.entries(responses).flatMap(([status, { content, headers }]) => {
        if (Number(status) < 400) return [];
        const problem = content?.['application/problem+json'];
        if (problem === undefined || Object.keys(content ?? {}).length !== 1) return [`${status} is not a problem`];
        return [
          ...(['429', '503'].includes(status) && headers?.['Retry-After'] === undefined
            ? [`${status}: Retry-After`]
            : []),
          ...Object.entries(problem.examples ?? {}).flatMap(([code, { value }]) => [
            ...(ERROR_CODES[code as ErrorCode].status === Number(status) ? [] : [`${code} is not ${status}`]),
            ...api.faults(value, problem.schema),
          ]),
          ...(Object.keys(problem.examples ?? {}).length > 0 ? [] : [`${status} names no code`]),
        ];
      }),
    ];
  });
});

test('objects with a version tell it in ETag, and changes of them take If-Match', () => {
  faultsOf(managed(), ({ method, path, parameters, responses }) => {
    const answer = responses['200']?.content?.['application/json']?.schema;
    const one = /\/\{\w+_id\}$/.test(path);
    const version = answer === undefined ? undefined : (api.resolve(answer)['properties']?.['version'] as Schema);
    const versioned = one && version?.['type'] === 'integer';
    return [
      ...(versioned && responses['200']?.headers?.['ETag'] === undefined ? ['no ETag'] : []),
      ...(versioned && method === 'PUT' && !parameters.some(({ name }) => name === 'If-Match') ? ['no If-Match'] : []),
    ];
  });
});

test('objects have names: nothing is described twice without one', () => {
  const components = new Map(
    Object.entries(api.raw['components']['schemas'] as Record<string, Schema>).map(([name, one]) => [
      JSON.stringify(one),
      name,
    ]),
  );
  const seen = new Map<string, string>();
  const faults: string[] = [];
  for (const [pointer, node] of nodes(api.raw)) {
    if (node['type'] !== 'object' || node['properties'] === undefined) continue;
    if (/^\/components\/schemas\/\w+$/.test(pointer)) continue;
    const text = JSON.stringify(node);
    const name = components.get(text);
    const before = seen.get(text);
    if (name !== undefined) faults.push(`${pointer} is ${name} without its name`);
    else if (before !== undefined) faults.push(`${pointer} is the same as ${before}`);
    else if (/\/content\/[^/]+\/schema$/.test(pointer)) faults.push(`${pointer} has no name`);
    seen.set(text, pointer);
  }
  assert.deepEqual(faults, []);
});

test('schemas tell what their names do not: units, and what null means', () => {
  const { properties } = api.resolve<{ properties: Record<string, Schema> }>({ $ref: '#/components/schemas/Mapping' });
  for (const name of ['user_id', 'source_client_id', 'total_bytes_in', 'version']) {
    assert.ok((properties[name]?.['description'] as string | undefined) !== undefined, name);
  }
});
