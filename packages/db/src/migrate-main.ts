import { migrate } from './migrate.ts';

const url = process.env['DATABASE_URL'];
if (url === undefined || url === '') {
  process.stderr.write('Set DATABASE_URL to the Postgres to migrate, such as postgres://user:password@host/database\n');
  process.exitCode = 2;
} else {
  try {
    await migrate({ url });
    process.stdout.write('The database has the newest schema.\n');
  } catch (error) {
    process.stderr.write(`Cannot migrate: ${error instanceof Error ? error.message : String(error)}\n`);
    process.exitCode = 1;
  }
}
