import addFormats from 'ajv-formats';
import { Ajv2020, type ValidateFunction } from 'ajv/dist/2020.js';

export type Json = null | boolean | number | string | Json[] | { [key: string]: Json };
/** A JSON Schema as OpenAPI 3.1 has them. */
// oxlint-disable-next-line typescript/no-explicit-any
export type Schema = Record<string, any>;

export interface DocumentParameter {
  name: string;
  in: 'path' | 'query' | 'header';
  required?: boolean;
  description?: string;
  schema: Schema;
}

export interface DocumentResponse {
  description?: string;
  headers?: Record<string, { required?: boolean; $ref?: string }>;
  content?: Record<string, { schema: Schema; example?: unknown; examples?: Record<string, { value: unknown }> }>;
}

export interface DocumentOperation {
  /** `GET /api/v1/clients/{client_id}` */
  name: string;
  method: string;
  path: string;
  operationId: string;
  summary?: string;
  tags?: string[];
  security?: Record<string, string[]>[];
  parameters: DocumentParameter[];
  requestBody?: { required?: boolean; content: Record<string, { schema: Schema; example?: unknown }> };
  responses: Record<string, DocumentResponse>;
}

const METHODS = ['get', 'put', 'post', 'delete', 'patch'];

/** An OpenAPI document, read for checking an API against it. */
export class ApiDocument {
  // oxlint-disable-next-line typescript/no-explicit-any
  readonly raw: Record<string, any>;
  readonly operations: DocumentOperation[];
  readonly #ajv: Ajv2020;
  readonly #compiled = new Map<string, ValidateFunction>();

  constructor(raw: Record<string, unknown>) {
    this.raw = raw;
    this.#ajv = new Ajv2020({ strict: false, allErrors: true });
    addFormats.default(this.#ajv);
    for (const format of ['ip', 'ipv4-cidr', 'ipv6-cidr', 'cidrv4', 'cidrv6']) this.#ajv.addFormat(format, true);
    this.#ajv.addSchema(raw, 'api');
    this.operations = Object.entries(raw['paths'] as Record<string, Record<string, Schema>>).flatMap(([path, item]) =>
      METHODS.flatMap((method) => {
        const operation = item[method];
        if (operation === undefined) return [];
        return [
          {
            ...(operation as Omit<DocumentOperation, 'name' | 'method' | 'path'>),
            ...{ name: `${method.toUpperCase()} ${path}`, method: method.toUpperCase(), path },
            parameters: ((operation['parameters'] ?? []) as Schema[]).map((one) =>
              this.resolve<DocumentParameter>(one),
            ),
            responses: Object.fromEntries(
              Object.entries((operation['responses'] ?? {}) as Record<string, Schema>).map(([status, one]) => [
                status,
                this.resolve<DocumentResponse>(one),
              ]),
            ),
          },
        ];
      }),
    );
  }

  /** Follows `$ref`. @throws {Error} when it points at nothing. */
  // oxlint-disable-next-line typescript/no-unnecessary-type-parameters -- what stands there is for the caller to say
  resolve<T = Schema>(node: Schema): T {
    let current: unknown = node;
    for (let ref = node['$ref'] as unknown; typeof ref === 'string'; ref = (current as Schema)['$ref']) {
      if (!ref.startsWith('#/')) throw new Error(`${ref} is not in this document`);
      current = this.raw;
      for (const step of ref.slice(2).split('/')) {
        current = (current as Schema | undefined)?.[step.replaceAll('~1', '/').replaceAll('~0', '~')];
      }
      if (current === undefined) throw new Error(`${ref} points at nothing`);
    }
    return current as T;
  }

  /** What is wrong with a value, in words; empty: nothing. */
  faults(value: unknown, schema: Schema): string[] {
    const key = JSON.stringify(schema);
    let validate = this.#compiled.get(key);
    if (validate === undefined) {
      validate = this.#ajv.compile(JSON.parse(key.replaceAll('"#/', '"api#/')) as Schema);
      this.#compiled.set(key, validate);
    }
    const wrong = validate(value) ? [] : (validate.errors ?? []).map((e) => `${e.instancePath || '/'} ${e.message}`);
    return [...wrong, ...this.#undeclared(value, schema, '')];
  }

  /** Members that the description does not know: JSON Schema allows them, a description should not. */
  #undeclared(value: unknown, node: Schema, at: string): string[] {
    const schema = this.resolve(node);
    if (Array.isArray(value)) {
      const items = schema['items'] as Schema | undefined;
      return items === undefined ? [] : value.flatMap((one, index) => this.#undeclared(one, items, `${at}/${index}`));
    }
    if (typeof value !== 'object' || value === null) return [];
    const choices = (schema['anyOf'] ?? schema['oneOf']) as Schema[] | undefined;
    if (choices !== undefined) {
      const each = choices.filter((one) => this.#matches(value, one)).map((one) => this.#undeclared(value, one, at));
      return each.sort((a, b) => a.length - b.length)[0] ?? [];
    }
    const properties = this.#propertiesOf(schema);
    if (properties === null) return [];
    return Object.entries(value).flatMap(([key, one]) => {
      const declared = properties[key];
      return declared === undefined
        ? [`${at}/${key} is not declared`]
        : this.#undeclared(one, declared, `${at}/${key}`);
    });
  }

  #matches(value: unknown, schema: Schema): boolean {
    return this.#ajv.compile(JSON.parse(JSON.stringify(schema).replaceAll('"#/', '"api#/')) as Schema)(value);
  }

  /** null: any may be there. */
  #propertiesOf(node: Schema): Record<string, Schema> | null {
    const schema = this.resolve(node);
    if (schema['additionalProperties'] !== undefined && schema['additionalProperties'] !== false) return null;
    const parts = ((schema['allOf'] ?? []) as Schema[]).map((one) => this.#propertiesOf(one));
    if (parts.includes(null)) return null;
    const own = schema['properties'] as Record<string, Schema> | undefined;
    if (own === undefined && parts.length === 0) return null;
    return Object.assign({}, ...parts, own) as Record<string, Schema>;
  }
}
