import { randomBytes } from 'node:crypto';
import { access, chmod, constants, open, readFile, rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { z } from 'zod';
import { UsageError } from '../usage-error.ts';
import { claimWithin } from './claim.ts';
import { makeFolder } from './make-folder.ts';

const FILE_NAME = 'credentials.json';
/** Writers hold the file for milliseconds. */
const LOCK_TIMEOUT_MS = 5_000;

const credentialsSchema = z.object({
  version: z.literal(1),
  /** Where the last login was; the server when none is named. */
  server: z.string().optional(),
  /** API keys by server address. */
  logins: z.record(z.string(), z.object({ api_key: z.string(), key_id: z.number().int().optional() })),
  /** Random names of `tunnox http` without a name, to be used again: domain ids by server and client. */
  unnamed_domains: z.record(z.string(), z.number().int()).default({}),
  clients: z.array(
    z.object({
      server: z.string(),
      /**
       * Whose client it is: `anonymous` (used without an API key, also after it was claimed), `claimed` (see `was`), or a
       * hash of the API key by which it was made.
       */
      owner: z.string(),
      client_id: z.number().int(),
      /** Empty: the one that was known is not accepted any more. */
      auth_code: z.string(),
      /** Of `claimed`: the client that a configuration file names, and that has become this one. */
      was: z.number().int().optional(),
    }),
  ),
});

export type Credentials = z.infer<typeof credentialsSchema>;

/** `credentials.json` (0600) in the configuration folder (0700): written whole, by one process at a time. */
export class CredentialFile {
  readonly dir: string;
  readonly path: string;

  constructor(dir: string) {
    this.dir = dir;
    this.path = join(dir, FILE_NAME);
  }

  /** Folder for claims of processes. */
  get locksDir(): string {
    return join(this.dir, 'locks');
  }

  /** @throws {UsageError} when it cannot be read; {Error} when it is damaged: it is never overwritten then. */
  async read(): Promise<Credentials> {
    let text: string;
    try {
      text = await readFile(this.path, 'utf8');
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'ENOENT')
        return { version: 1, logins: {}, unnamed_domains: {}, clients: [] };
      throw unusable('read', this.path, error);
    }
    try {
      return credentialsSchema.parse(JSON.parse(text));
    } catch (cause) {
      throw new Error(`Cannot read '${this.path}': it is damaged. Move it away to start afresh`, { cause });
    }
  }

  /**
   * Makes the folder ready for `update()` and for claims: before the server gives out a code that could not be kept.
   *
   * @throws {UsageError} when it cannot be written
   */
  async prepare(): Promise<void> {
    try {
      await makeFolder(this.locksDir);
      await chmod(this.dir, 0o700);
      for (const dir of [this.dir, this.locksDir]) await access(dir, constants.W_OK | constants.X_OK);
    } catch (error) {
      throw unusable('write to the folder', this.dir, error);
    }
  }

  /** Changes the file: `change` gets what stands in it now and edits that. */
  async update(change: (credentials: Credentials) => void): Promise<void> {
    await this.prepare();
    const lock = await claimWithin(this.locksDir, 'credentials', LOCK_TIMEOUT_MS);
    if (lock === null) throw new Error(`Cannot write '${this.path}': another tunnox process holds it`);
    try {
      const credentials = await this.read();
      change(credentials);
      await replace(this.path, `${JSON.stringify(credentials, null, 2)}\n`);
    } finally {
      lock.release();
    }
  }
}

/** Under what the random name of a client is remembered. */
export function unnamedKey(server: string, clientId: number): string {
  return `${server} ${clientId}`;
}

function unusable(verb: string, path: string, cause: unknown): UsageError {
  return new UsageError(
    `Cannot ${verb} '${path}', where credentials are kept: ${(cause as Error).message}\n` +
      'Name another folder by --config-dir or TUNNOX_CONFIG_DIR, or change who may write there.',
    { cause },
  );
}

async function replace(path: string, text: string): Promise<void> {
  const temporary = `${path}.${randomBytes(6).toString('hex')}.tmp`;
  const file = await open(temporary, 'wx', 0o600);
  try {
    await file.writeFile(text);
    await file.sync();
    await file.close();
    await rename(temporary, path);
  } catch (error) {
    await file.close().catch(() => {});
    await rm(temporary, { force: true });
    throw error;
  }
}
