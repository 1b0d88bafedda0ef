import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { ManagementApi } from '@tunnox/api-client/management-api';
import type { ControlPlaneOptions } from '@tunnox/devstack/control-plane';
import { type RunningStack, startStack } from '@tunnox/testing/stack';
import pg from 'pg';
import { makeUser } from '../peers/tunnox-user.ts';
import type { ProcessGroup } from '../process-group.ts';

/** A platform, and a user with many mappings at clients that are away. */
export interface ApiPlatform {
  platform: RunningStack;
  user: ManagementApi;
  apiKey: string;
  clientId: number;
  /** Mappings for changing, each of a client of its own. */
  mappingIds: number[];
  mappings: number;
}

/** So far above what one machine does that the limit itself is never met. */
const RATE_LIMIT = { perS: 1_000_000, burst: 1_000_000 };

/** As many as callers at once at the most. */
const CHANGED_MAPPINGS = 32;
const MAPPINGS_PER_CLIENT = 100;

/** Starts a platform whose rate limit is out of the way, and fills it. */
export async function startApiPlatform(group: ProcessGroup, mappings: number): Promise<ApiPlatform> {
  const home = await group.tempDir();
  const starting = startStack({ home, env: { TUNNOX_DEMO: 'off', TUNNOX_RESTART: 'off' } });
  group.defer(async () => {
    const started = await starting.catch(() => null);
    await started?.stop();
  });
  const platform = await starting;
  await raiseRateLimit(platform);
  const { user, apiKey } = await makeUser(platform.stack);
  const client = await user.clients.create({ client_name: 'one' });
  const mappingIds: number[] = [];
  for (let index = 0; index < CHANGED_MAPPINGS; index += 1) {
    const target = await user.clients.create({ client_name: `changed ${index}` });
    const ends = { source_client_id: client.client_id, target_client_id: target.client_id };
    const mapping = await user.mappings.create({ ...ends, target_port: 5432, local_port: 1024 + index });
    mappingIds.push(mapping.mapping_id);
  }
  await addMappings(platform.stack.postgres_url, mappingIds[0] ?? 0, mappings - mappingIds.length);
  const { total } = await user.mappings.list({ limit: 1 });
  if (total !== mappings) throw new Error(`Cannot measure: there are ${total} mappings and not ${mappings}`);
  return { platform, user, apiKey, clientId: client.client_id, mappingIds, mappings };
}

async function raiseRateLimit(platform: RunningStack): Promise<void> {
  await platform.stopControlPlane();
  const file = join(platform.home, 'control-plane.json');
  const options = JSON.parse(await readFile(file, 'utf8')) as ControlPlaneOptions;
  await writeFile(file, `${JSON.stringify({ ...options, rateLimit: RATE_LIMIT })}\n`, { mode: 0o600 });
  await platform.startControlPlane();
}

/** Copies of a mapping, a hundred for each of as many pairs of clients as it takes: ten thousand calls would take long. */
async function addMappings(databaseUrl: string, mappingId: number, count: number): Promise<void> {
  const database = new pg.Client({ connectionString: databaseUrl });
  await database.connect();
  try {
    await database.query(
      `with first as (select * from port_mappings where mapping_id = $1),
        targets as (
          insert into clients (user_id, type, auth_code_hash, name)
          select first.user_id, 'managed', 'of nobody', 'crowd ' || n
          from first, generate_series(0, ($2::int - 1) / $3::int) n returning client_id
        ), numbered as (select client_id, row_number() over (order by client_id) as nr from targets),
        made as (
          insert into port_mappings (user_id, name, source_client_id, protocol, local_port, target_host, target_port,
            secret_encrypted)
          select first.user_id, 'crowd ' || i, numbered.client_id, first.protocol, 2000 + i % $3::int, '127.0.0.1', 80,
            first.secret_encrypted
          from first, generate_series(0, $2::int - 1) i join numbered on numbered.nr = 1 + i / $3::int
          returning mapping_id, source_client_id
        )
      insert into endpoint_upstreams (mapping_id, client_id) select mapping_id, source_client_id from made`,
      [mappingId, count, MAPPINGS_PER_CLIENT],
    );
    await database.query('analyze');
  } finally {
    await database.end();
  }
}
