import { sql } from 'drizzle-orm';
import type { HealthRepository } from '../services/node-ports.ts';
import type { Postgres } from './postgres.ts';

/** Whether Postgres answers and has the schema. */
export function createHealthRepository(postgres: Postgres): HealthRepository {
  return {
    async check() {
      await postgres.query(sql`select name from plans limit 1`);
    },
  };
}
