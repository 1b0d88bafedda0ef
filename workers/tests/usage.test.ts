import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { after, before, describe, test } from 'node:test';
import { openDatabase } from '@tunnox/db/client';
import { migrate } from '@tunnox/db/migrate';
import type { UsageAnswer, UsageRequest } from '@tunnox/domain/relay-api';
import { makeUlid } from '@tunnox/domain/ulid';
import { NeonGateway } from '@tunnox/gateways/neon-gateway';
import { Client } from 'pg';
import { createPostgres } from '../src/repositories/postgres.ts';
import { createUsageRepository } from '../src/repositories/usage-repository.ts';
import { startDatabase, type TestDatabase } from './test-database.ts';

const HOUR_MS = 3_600_000;
const TURN = Date.UTC(2026, 2, 1);
const LIMIT = 1000;

interface Relay {
  nodeId: string;
  fingerprint: string | null;
}

const OLD_KEY: Relay = { nodeId: 'node-001', fingerprint: 'a'.repeat(64) };
const NEW_KEY: Relay = { nodeId: 'node-001', fingerprint: 'b'.repeat(64) };

/** The repository on a real Postgres, at a time of the test's choosing. */
describe('usage', () => {
  let database: TestDatabase;
  let gateway: NeonGateway;
  let rows: Client;
  let nowMs = TURN;
  let repository: ReturnType<typeof createUsageRepository>;
  before(async () => {
    database = await startDatabase();
    await migrate({ url: database.url });
    gateway = new NeonGateway({ log: { warn: () => {} } }, { host: '127.0.0.1', port: 0, databaseUrl: database.url });
    await gateway.start();
    const postgres = createPostgres(openDatabase({ url: database.url, fetchEndpoint: `${gateway.url}/sql` }));
    repository = createUsageRepository(postgres, () => nowMs);
    rows = new Client({ connectionString: database.url });
    await rows.connect();
  });
  after(async () => {
    await rows?.end();
    await gateway?.stop();
    await database?.stop();
  });

  let users = 0;
  async function newUser(): Promise<number> {
    users += 1;
    const made = await rows.query<{ user_id: string }>(
      `insert into users (username, email, plan) values ($1, $1 || '@example.com', 'free') returning user_id`,
      [`u${users}`],
    );
    const userId = Number(made.rows[0]?.user_id);
    await rows.query('insert into user_quotas (user_id, monthly_traffic_limit) values ($1, $2)', [userId, LIMIT]);
    return userId;
  }

  /** A run of a relay, begun at that time. */
  const runAt = (ms: number): string => makeUlid(ms, randomBytes(16));

  function report(incarnation: string, sequence: number, userId: number | null, bytes: number, more: object = {}) {
    const counts = { bytes_in: bytes, bytes_out: 0, connections: 1 };
    const entries = [{ binding_id: 'domain:999999', client_id: 600_000_000, user_id: userId, ...counts }];
    return { incarnation, sequence, entries, ...more } satisfies UsageRequest;
  }

  async function months(userId: number): Promise<Record<string, number>> {
    const { rows: found } = await rows.query<{ month: string; bytes: string }>(
      `select to_char(month, 'YYYY-MM') as month, bytes_in + bytes_out as bytes from usage_monthly
       where user_id = $1 order by 1`,
      [userId],
    );
    return Object.fromEntries(found.map(({ month, bytes }) => [month, Number(bytes)]));
  }

  const leftOf = ({ allowances }: UsageAnswer): number | null | undefined => allowances[0]?.traffic_remaining_bytes;

  test('counts a report once, whoever asks at the same moment', async () => {
    nowMs = TURN + HOUR_MS;
    const userId = await newUser();
    const one = report(runAt(nowMs), 1, userId, 100);
    const answers = await Promise.all(Array.from({ length: 8 }, () => repository.add(OLD_KEY, one)));
    assert.deepEqual(await months(userId), { '2026-03': 100 });
    assert.deepEqual(new Set(answers.map(leftOf)), new Set([900]));
  });

  test('counts nothing twice and loses nothing when a node id changes hands', async () => {
    nowMs = TURN + 2 * HOUR_MS;
    const userId = await newUser();
    const [before, later] = [runAt(nowMs - HOUR_MS), runAt(nowMs)];
    // The first relay's second report was counted, but it never heard so; its third did not come.
    await repository.add(OLD_KEY, report(before, 1, userId, 1));
    await repository.add(OLD_KEY, report(before, 2, userId, 2));
    // Another key takes node-001: the same sequence numbers, another run.
    for (const sequence of [1, 2, 3]) await repository.add(NEW_KEY, report(later, sequence, userId, 10));
    assert.deepEqual(await months(userId), { '2026-03': 33 });
    // The first relay comes back under another id, and sends what lies on its disk.
    const moved: Relay = { nodeId: 'node-007', fingerprint: OLD_KEY.fingerprint };
    for (const round of [1, 2]) {
      for (const sequence of [2, 3]) await repository.add(moved, report(before, sequence, userId, sequence));
      assert.deepEqual(await months(userId), { '2026-03': 36 }, `round ${round}`);
    }
  });

  test('lets no relay use up the numbers of another', async () => {
    nowMs = TURN + 3 * HOUR_MS;
    const userId = await newUser();
    const run = runAt(nowMs);
    const stranger: Relay = { nodeId: 'node-666', fingerprint: 'c'.repeat(64) };
    await repository.add(stranger, { incarnation: run, sequence: 1, entries: [] });
    await repository.add(OLD_KEY, report(run, 1, userId, 5));
    assert.deepEqual(await months(userId), { '2026-03': 5 });
  });

  test('knows a report that an earlier version has counted, by the node id alone, and the other way round', async () => {
    nowMs = TURN + 4 * HOUR_MS;
    const userId = await newUser();
    const run = runAt(nowMs);
    const earlier: Relay = { nodeId: 'node-001', fingerprint: null };
    await repository.add(earlier, report(run, 1, userId, 5));
    await repository.add(OLD_KEY, report(run, 1, userId, 5));
    await repository.add(OLD_KEY, report(run, 2, userId, 5));
    await repository.add(earlier, report(run, 2, userId, 5));
    assert.deepEqual(await months(userId), { '2026-03': 10 });
  });

  test('counts in the month when the bytes moved: over the turn, and days later', async () => {
    const userId = await newUser();
    const run = runAt(TURN - 10 * HOUR_MS);
    const taken = (ms: number, intervalMs = 60_000) => ({
      taken_at: new Date(ms).toISOString(),
      interval_ms: intervalMs,
    });
    nowMs = TURN + 20;
    // Closed at the turn, which timers meet a little late.
    const closing = await repository.add(OLD_KEY, report(run, 1, userId, 700, taken(TURN + 15)));
    assert.deepEqual(await months(userId), { '2026-02': 700 });
    assert.equal(leftOf(closing), LIMIT, 'the new month has begun');
    // A relay that does not close its books at the turn: most of the time decides.
    nowMs = TURN + 40_000;
    await repository.add(OLD_KEY, report(run, 2, userId, 30, taken(TURN + 40_000)));
    assert.deepEqual(await months(userId), { '2026-02': 700, '2026-03': 30 });
    // Spooled before the turn, sent days after it.
    nowMs = TURN + 72 * HOUR_MS;
    const late = await repository.add(OLD_KEY, report(run, 3, userId, 5, taken(TURN - 3 * HOUR_MS)));
    assert.deepEqual(await months(userId), { '2026-02': 705, '2026-03': 30 });
    assert.equal(leftOf(late), LIMIT - 30);
    // An earlier version does not say when.
    await repository.add(OLD_KEY, report(run, 4, userId, 1));
    assert.deepEqual(await months(userId), { '2026-02': 705, '2026-03': 31 });
  });

  test('believes no clock that is far off', async () => {
    const userId = await newUser();
    nowMs = TURN + 10 * 24 * HOUR_MS;
    const run = runAt(nowMs - HOUR_MS);
    const at = (ms: number) => ({ taken_at: new Date(ms).toISOString(), interval_ms: 1000 });
    // Of the next month; of a time before this run began; of long ago.
    await repository.add(OLD_KEY, report(run, 1, userId, 1, at(Date.UTC(2026, 3, 2))));
    await repository.add(OLD_KEY, report(run, 2, userId, 2, at(Date.UTC(2026, 1, 20))));
    const old = runAt(Date.UTC(2025, 5, 1));
    await repository.add(OLD_KEY, report(old, 1, userId, 4, at(Date.UTC(2025, 5, 2))));
    // Thirty days before: reports that are older are known to nobody any more.
    assert.deepEqual(await months(userId), { '2026-02': 4, '2026-03': 1 + 2 });
  });

  test('tells what is left to those who are asked about, and to anonymous clients', async () => {
    nowMs = TURN + 5 * HOUR_MS;
    const userId = await newUser();
    const run = runAt(nowMs);
    await repository.add(OLD_KEY, report(run, 1, userId, LIMIT + 50));
    const [client, other] = [211_111_111, 222_222_222];
    for (const clientId of [client, other]) {
      await rows.query(
        `insert into clients (client_id, type, auth_code_hash, name, expires_at)
         values ($1, 'anonymous', 'x', 'a', now() + interval '1 day')`,
        [clientId],
      );
    }
    const made = await rows.query<{ id: number }>(
      `insert into http_domain_mappings (full_domain, verification_state, target_host, target_port)
       values ('anonymous.example.com', 'verified', 'localhost', 80) returning id::int`,
    );
    const domainId = made.rows[0]?.id ?? 0;
    await rows.query('insert into endpoint_upstreams (domain_id, client_id) values ($1, $2)', [domainId, client]);
    const counts = { bytes_in: 24, bytes_out: 1000, connections: 1 };
    const answer = await repository.add(OLD_KEY, {
      incarnation: run,
      sequence: 2,
      entries: [{ binding_id: `domain:${domainId}`, client_id: client, user_id: null, ...counts }],
      asking: { user_ids: [userId, 999_999_999], client_ids: [other, 600_000_000] },
    });
    assert.deepEqual(answer, {
      allowances: [{ user_id: userId, traffic_remaining_bytes: 0 }],
      client_allowances: [
        { client_id: client, traffic_remaining_bytes: 2 ** 30 - 1024 },
        { client_id: other, traffic_remaining_bytes: 2 ** 30 },
      ],
    });
    // The month turns: the same question has another answer.
    nowMs = Date.UTC(2026, 3, 1);
    const next = await repository.add(OLD_KEY, {
      ...{ incarnation: run, sequence: 3, entries: [] },
      asking: { user_ids: [userId], client_ids: [] },
    });
    assert.deepEqual(next.allowances, [{ user_id: userId, traffic_remaining_bytes: LIMIT }]);
  });
});
