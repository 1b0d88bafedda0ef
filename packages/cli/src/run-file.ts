import { readFile } from 'node:fs/promises';
import { isIP } from 'node:net';
import { type AllowRule, parseAllowRule } from '@tunnox/agent/target/allow-rule';
import { parse } from 'yaml';
import { z } from 'zod';
import { UsageError } from './usage-error.ts';

const runFileSchema = z
  .strictObject({
    server: z.string().optional(),
    client_id: z.int().optional(),
    auth_code: z.string().min(1).optional(),
    api_key: z.string().min(1).optional(),
    /** Only these addresses are dialled. */
    allow: z.array(z.string()).optional(),
    /** Accept any certificate of https targets. */
    insecure_targets: z.boolean().default(false),
    /** Address at which local ports are opened. */
    bind: z
      .string()
      .refine((text) => isIP(text) !== 0, 'must be an IP address')
      .default('127.0.0.1'),
  })
  .refine((file) => file.auth_code === undefined || file.client_id !== undefined, {
    message: 'goes together with client_id',
    path: ['auth_code'],
  });

export interface RunFile {
  server: string | undefined;
  clientId: number | undefined;
  authCode: string | undefined;
  apiKey: string | undefined;
  /** Absent: everything is allowed, except what agents guard. */
  allow: AllowRule[] | undefined;
  insecureTargets: boolean;
  bind: string;
}

/** Reads `tunnox.yaml`. @throws {UsageError} that names the line or the key */
export async function readRunFile(path: string): Promise<RunFile> {
  const text = await readFile(path, 'utf8').catch((error: unknown) => {
    throw new UsageError(`Cannot read the configuration file '${path}': ${(error as Error).message}`);
  });
  return parseRunFile(text, path);
}

/** @param path For messages. */
export function parseRunFile(text: string, path: string): RunFile {
  let content: unknown;
  try {
    content = parse(text) ?? {};
  } catch (error) {
    throw new UsageError(`Cannot read '${path}' as YAML: ${(error as Error).message}`);
  }
  const checked = runFileSchema.safeParse(content);
  if (!checked.success) {
    const faults = checked.error.issues.map(({ path: key, message }) => `${key.join('.') || 'the file'}: ${message}`);
    throw new UsageError(`Cannot use '${path}': ${faults.join('; ')}`);
  }
  const { server, client_id, auth_code, api_key, allow, insecure_targets, bind } = checked.data;
  return {
    server,
    clientId: client_id,
    authCode: auth_code,
    apiKey: api_key,
    allow: allow?.map((rule) => allowRule(rule, path)),
    insecureTargets: insecure_targets,
    bind,
  };
}

function allowRule(text: string, path: string): AllowRule {
  try {
    return parseAllowRule(text);
  } catch (error) {
    throw new UsageError(`Cannot use '${path}': allow: ${(error as Error).message}`);
  }
}
