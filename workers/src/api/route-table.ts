import type { OpenAPIHono } from '@hono/zod-openapi';

/** What the application has under a path. */
export interface KnownPath {
  /** For `Allow`. */
  methods: string[];
  /** Query parameters by method, where the description tells them. */
  query: Map<string, ReadonlySet<string>>;
}

interface Entry extends KnownPath {
  matches: RegExp;
}

/** The application's routes, for the questions that its router does not answer. Made when it is complete. */
export class RouteTable {
  readonly #entries: Entry[];

  constructor(app: Pick<OpenAPIHono, 'routes' | 'openAPIRegistry'>) {
    const byPath = new Map<string, Entry>();
    const entryOf = (path: string) => {
      const held = byPath.get(path);
      if (held !== undefined) return held;
      const entry: Entry = { matches: toPattern(path), methods: [], query: new Map() };
      byPath.set(path, entry);
      return entry;
    };
    for (const { path, method } of app.routes) {
      // Middleware is for every method.
      if (method === 'ALL') continue;
      const { methods } = entryOf(path);
      if (!methods.includes(method)) methods.push(method);
    }
    for (const definition of app.openAPIRegistry.definitions) {
      if (definition.type !== 'route') continue;
      const { path, method, request } = definition.route;
      const names = request?.query === undefined ? [] : namesOf(request.query);
      if (names === null) continue;
      entryOf(path.replaceAll(/\{(.+?)\}/g, ':$1')).query.set(method.toUpperCase(), new Set(names));
    }
    for (const { methods } of byPath.values()) {
      if (methods.includes('GET')) methods.push('HEAD');
      methods.push('OPTIONS');
    }
    // A path without parameters is meant before one with.
    this.#entries = [...byPath].sort(([a], [b]) => parametersOf(a) - parametersOf(b)).map(([, entry]) => entry);
  }

  /** @returns null: there is nothing. */
  find(path: string): KnownPath | null {
    return this.#entries.find(({ matches }) => matches.test(path)) ?? null;
  }
}

/** Members of an object's schema; null: it is none. */
function namesOf(schema: object): string[] | null {
  return 'shape' in schema && typeof schema.shape === 'object' && schema.shape !== null
    ? Object.keys(schema.shape)
    : null;
}

function toPattern(path: string): RegExp {
  const literal = path.replaceAll(/[.*+?^${}()|[\]\\]/g, String.raw`\$&`);
  return new RegExp(`^${literal.replaceAll(/:\w+/g, '[^/]+')}$`);
}

function parametersOf(path: string): number {
  return path.split(':').length;
}
