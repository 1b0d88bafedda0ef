import { defineConfig } from 'drizzle-kit';

/** `pnpm --filter @tunnox/db generate` writes the next migration from the schema. */
export default defineConfig({
  dialect: 'postgresql',
  schema: './src/schema/*.ts',
  out: '../../migrations',
  casing: 'snake_case',
});
