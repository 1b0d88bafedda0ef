import fc, { type Arbitrary } from 'fast-check';
import type { ApiDocument, Json, Schema } from './api-document.ts';

/** Values that exist, by the name under which requests speak of them, such as `client_id`. */
export type Existing = Record<string, readonly (number | string)[]>;

const DEPTH_MAX = 5;
/** What a person or an attacker may send where something else is meant. */
const ODDITIES: readonly Json[] = [
  ...[null, true, '', ' ', 0, -1, 0.5, 1e308, 2 ** 31, 2 ** 53, Number.MAX_SAFE_INTEGER, Number.MIN_SAFE_INTEGER],
  ...['\u0000', '\ud800', '‮x', '😀', "'; drop table users; --", '{{7*7}}', '../..', '%00', 'x'.repeat(5000), '0'],
  ...[[], {}, [null], [[[]]], { constructor: { prototype: {} } }, JSON.parse('{"__proto__": {"role": "operator"}}')],
];

/** Values that a schema allows, as far as it says so; ids are often those of things that exist. */
export function valueOf(api: ApiDocument, node: Schema, existing: Existing, name = '', depth = 0): Arbitrary<Json> {
  const schema = api.resolve(node);
  const deeper = (inner: Schema, itsName = name) => valueOf(api, inner, existing, itsName, depth + 1);
  if ('const' in schema) return fc.constant(schema['const'] as Json);
  if (Array.isArray(schema['enum'])) return fc.constantFrom(...(schema['enum'] as Json[]));
  const choices = (schema['anyOf'] ?? schema['oneOf']) as Schema[] | undefined;
  if (choices !== undefined) return fc.oneof(...choices.map((one) => deeper(one)));
  if (schema['allOf'] !== undefined) {
    const parts = (schema['allOf'] as Schema[]).map((one) => deeper(one));
    return fc.tuple(...parts).map((values) => Object.assign({}, ...values) as Json);
  }
  if (depth > DEPTH_MAX) return fc.constant(null);
  const types = (Array.isArray(schema['type']) ? schema['type'] : [schema['type']]) as (string | undefined)[];
  return fc.oneof(
    ...types.map((type): Arbitrary<Json> => {
      switch (type) {
        case 'null':
          return fc.constant(null);
        case 'boolean':
          return fc.boolean();
        case 'integer':
        case 'number':
          return preferExisting(numbers(schema, type), existingOf(existing, name));
        case 'string':
          return preferExisting(strings(schema), existingOf(existing, name));
        case 'array': {
          const { minItems = 0, maxItems = 4 } = schema as { minItems?: number; maxItems?: number };
          return fc.array(deeper((schema['items'] ?? {}) as Schema), {
            minLength: minItems,
            maxLength: Math.max(minItems, Math.min(maxItems, 4)),
          });
        }
        case 'object':
          return objects(schema, deeper);
        default:
          return fc.jsonValue({ maxDepth: 2 }) as Arbitrary<Json>;
      }
    }),
  );
}

/** A value that is wrong somewhere: a member is odd, missing or too many, or it is something else altogether. */
export function spoiled(value: Arbitrary<Json>): Arbitrary<Json> {
  const odd = fc.constantFrom(...ODDITIES);
  return fc.oneof(
    {
      weight: 6,
      arbitrary: fc.tuple(value, odd, fc.nat(), fc.nat(3)).map(([good, bad, at, how]) => spoil(good, bad, at, how)),
    },
    { weight: 1, arbitrary: odd },
    { weight: 1, arbitrary: fc.jsonValue({ maxDepth: 3 }) as Arbitrary<Json> },
  );
}

function spoil(value: Json, bad: Json, at: number, how: number): Json {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return bad;
  const keys = Object.keys(value);
  const key = keys[at % Math.max(1, keys.length)];
  if (key === undefined || how === 0) return { ...value, unknown_member: bad };
  if (how === 1) return Object.fromEntries(Object.entries(value).filter(([name]) => name !== key));
  const inner = value[key] ?? null;
  // Also deep inside.
  return { ...value, [key]: how === 2 ? bad : spoil(inner, bad, at >> 2, (at >> 1) % 4) };
}

function objects(schema: Schema, deeper: (inner: Schema, name: string) => Arbitrary<Json>): Arbitrary<Json> {
  const properties = Object.entries((schema['properties'] ?? {}) as Record<string, Schema>);
  const required = properties
    .map(([key]) => key)
    .filter((key) => (schema['required'] as string[] | undefined)?.includes(key));
  const shape = Object.fromEntries(properties.map(([key, inner]) => [key, deeper(inner, key)]));
  return fc.record(shape, { requiredKeys: required, noNullPrototype: true }) as Arbitrary<Json>;
}

function numbers(schema: Schema, type: string): Arbitrary<Json> {
  const min = (schema['minimum'] ?? (schema['exclusiveMinimum'] as number | undefined) ?? -2_000_000_000_000) as number;
  const max = (schema['maximum'] ?? 2_000_000_000_000) as number;
  const whole = fc.oneof(
    fc.integer({ min: Math.max(min, -1), max: Math.min(max, Math.max(min, 0) + 1000) }),
    fc.maxSafeInteger().map((one) => Math.min(max, Math.max(min, one))),
    fc.constantFrom(min, max),
  );
  return type === 'integer' ? whole : fc.oneof(whole, fc.double({ min, max, noNaN: true, noDefaultInfinity: true }));
}

function strings(schema: Schema): Arbitrary<Json> {
  const { minLength = 0, maxLength = 40 } = schema as { minLength?: number; maxLength?: number };
  const fits = (text: string) => text.length >= minLength && text.length <= (schema['maxLength'] ?? Infinity);
  switch (schema['format'] as string | undefined) {
    case 'date-time':
      return fc
        .date({ min: new Date('2020-01-01'), max: new Date('2035-01-01'), noInvalidDate: true })
        .map((date) => date.toISOString());
    case 'email':
      return fc.stringMatching(/^[a-z]{1,10}@[a-z]{1,10}\.example$/);
    case 'uuid':
      return fc.uuid();
    case 'uri':
      return fc.webUrl();
    case 'ip':
      return fc.oneof(fc.ipV4(), fc.ipV6());
    case 'ipv4-cidr':
    case 'cidrv4':
      return fc.tuple(fc.ipV4(), fc.nat(32)).map(([ip, bits]) => `${ip}/${bits}`);
    case 'ipv6-cidr':
    case 'cidrv6':
      return fc.tuple(fc.ipV6(), fc.nat(128)).map(([ip, bits]) => `${ip}/${bits}`);
    default:
  }
  if (schema['pattern'] !== undefined) {
    return fc.stringMatching(new RegExp(schema['pattern'] as string), { size: '-1' }).filter(fits);
  }
  const lengths = { minLength, maxLength: Math.max(minLength, Math.min(maxLength, 40)) };
  return fc.oneof(
    fc.string({ ...lengths, unit: fc.constantFrom(...'abcdefghijklmnopqrstuvwxyz0123456789-.') }),
    fc.string({ ...lengths, unit: 'grapheme' }).filter(fits),
  );
}

function preferExisting(any: Arbitrary<Json>, existing: readonly (number | string)[] | undefined): Arbitrary<Json> {
  if (existing === undefined || existing.length === 0) return any;
  return fc.oneof({ weight: 4, arbitrary: fc.constantFrom(...existing) }, { weight: 1, arbitrary: any });
}

/** `target_client_id` speaks of a client too. */
export function existingOf(existing: Existing, name: string): readonly (number | string)[] | undefined {
  return existing[name] ?? existing[/(?:^|_)([a-z]+_id)s?$/.exec(name)?.[1] ?? ''];
}
