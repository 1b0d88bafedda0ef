import { readFileSync } from 'node:fs';
import { z } from 'zod';
import { ConfigError, type ConfigProblem } from './config-error.ts';

export interface EnvironmentSpec<Shape extends z.ZodRawShape> {
  /** Schema of each variable; its input is the variable's text, or undefined when it is not set. */
  shape: Shape;
  /** Variables with this prefix that no part of the product knows are refused, so that a typing error is seen. */
  prefix: string;
  /** Variables that may also be given as `<NAME>_FILE`, the path of a file that holds the value. */
  secrets: readonly (keyof Shape & string)[];
  /** Variables with the prefix that other parts of the product read, and that may stand in the same environment. */
  others: readonly string[];
}

export interface EnvironmentDeps {
  readTextFile: (path: string) => string;
}

const systemDeps: EnvironmentDeps = { readTextFile: (path) => readFileSync(path, 'utf8') };

/**
 * Reads the environment once, at the entry of a program. An empty value counts as not set.
 *
 * @throws {ConfigError} with the name of every variable that is missing, unreadable, malformed or unknown
 */
export function parseEnvironment<Shape extends z.ZodRawShape>(
  environment: Readonly<Record<string, string | undefined>>,
  spec: EnvironmentSpec<Shape>,
  deps: EnvironmentDeps = systemDeps,
): z.output<z.ZodObject<Shape>> {
  const problems: ConfigProblem[] = [];
  const known = new Set([...Object.keys(spec.shape), ...spec.secrets.map(fileKey), ...spec.others]);
  for (const key of Object.keys(environment)) {
    if (key.startsWith(spec.prefix) && !known.has(key)) problems.push({ key, message: unknownMessage(key, known) });
  }
  const values: Record<string, string> = {};
  for (const key of Object.keys(spec.shape)) {
    const value = environment[key]?.trim();
    if (value !== undefined && value !== '') values[key] = value;
  }
  for (const key of spec.secrets) readSecret(key, environment, values, problems, deps);

  const parsed = z.object(spec.shape).safeParse(values);
  if (!parsed.success) {
    for (const issue of parsed.error.issues) {
      const key = String(issue.path[0] ?? spec.prefix);
      problems.push({ key, message: values[key] === undefined ? 'must be set' : issue.message });
    }
  }
  if (problems.length > 0 || !parsed.success) throw new ConfigError(problems);
  return parsed.data;
}

function readSecret(
  key: string,
  environment: Readonly<Record<string, string | undefined>>,
  values: Record<string, string>,
  problems: ConfigProblem[],
  deps: EnvironmentDeps,
): void {
  const path = environment[fileKey(key)]?.trim();
  if (path === undefined || path === '') return;
  if (values[key] !== undefined) {
    problems.push({ key: fileKey(key), message: `must not be set together with ${key}: keep one of them` });
    return;
  }
  try {
    values[key] = deps.readTextFile(path).trim();
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    problems.push({ key: fileKey(key), message: `names a file that cannot be read: ${reason}` });
  }
}

function fileKey(key: string): string {
  return `${key}_FILE`;
}

function unknownMessage(key: string, known: ReadonlySet<string>): string {
  let nearest: string | undefined;
  let nearestDistance = 4;
  for (const candidate of known) {
    const distance = editDistance(key, candidate);
    if (distance < nearestDistance) [nearest, nearestDistance] = [candidate, distance];
  }
  return nearest === undefined ? 'is not known: remove it' : `is not known: did you mean ${nearest}?`;
}

/** Levenshtein distance. */
function editDistance(a: string, b: string): number {
  let previous = Array.from({ length: b.length + 1 }, (_, column) => column);
  for (let row = 1; row <= a.length; row++) {
    const current = [row];
    for (let column = 1; column <= b.length; column++) {
      const replaced = (previous[column - 1] ?? 0) + (a[row - 1] === b[column - 1] ? 0 : 1);
      current.push(Math.min(replaced, (previous[column] ?? 0) + 1, (current[column - 1] ?? 0) + 1));
    }
    previous = current;
  }
  return previous[b.length] ?? 0;
}
