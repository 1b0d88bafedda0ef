import assert from 'node:assert/strict';
import { after, before, it } from 'node:test';
import { startAgent, type AgentProcess } from '@tunnox/testing/agent';
import { eventually } from './support/eventually.ts';
import { run } from './support/lines.ts';
import { inMode } from './support/modes.ts';
import { startTargetService, type TargetService } from './support/target-service.ts';
import { api, callApi, createTenant, type Tenant } from './support/tenant.ts';
import { visit } from './support/visit.ts';
import { needs } from '@tunnox/testing/needs';

inMode(
  'a Worker that dies between commit and delivery',
  { env: { TUNNOX_DEMO: 'off', TUNNOX_RESTART: 'off' } },
  false,
  (context) => {
    let tenant: Tenant;
    let service: TargetService;
    let agent: AgentProcess;

    before(async () => {
      tenant = await createTenant(context.platform.stack);
      service = await startTargetService('healed');
      agent = await startAgent(
        context.platform,
        ['http', String(service.port), '--subdomain', 'healed'],
        tenant.apiKey,
      );
    });
    after(async () => {
      await agent.stop();
      await service.stop();
    });

    it('is healed by the sweep: what was committed is in force everywhere', { skip: needs('psql') }, async () => {
      const { stack } = context.platform;
      const { client_id: clientId } = await agent.ready();
      const sql = (text: string) => run('psql', [stack.postgres_url, '-v', 'ON_ERROR_STOP=1', '-tAc', text]);
      // Delivery claims its rows first; this holds every claim back, so that the commit stands and nothing is delivered.
      await sql(`create function hold_claims() returns trigger language plpgsql as $$ begin perform pg_sleep(600); return new; end $$;
               create trigger hold_claims before update on outbox for each row execute function hold_claims()`);
      const lost = callApi(stack, tenant.apiKey, 'POST', '/api/v1/domains', {
        subdomain: 'committed',
        client_id: clientId,
        target_port: service.port,
      }).catch(() => undefined);
      await eventually(
        async () =>
          (
            await sql(`select count(*) from outbox where delivered_at is null and endpoint like 'committed.%'`)
          ).stdout.trim(),
        (count) => count === '1',
      );
      await context.platform.stopControlPlane();
      await lost;
      await sql(
        `select pg_terminate_backend(pid) from pg_stat_activity where query ilike 'update%outbox%' and pid <> pg_backend_pid()`,
      );
      await sql('drop trigger hold_claims on outbox; drop function hold_claims()');
      await context.platform.startControlPlane();

      for (const { http } of stack.relays) {
        const answer = await eventually(
          () => visit({ address: http }, 'committed.tunnox.localhost'),
          ({ status }) => status === 200,
          60_000,
        );
        assert.equal(answer.text, 'healed');
      }
      await eventually(
        async () => (await sql('select count(*) from outbox where delivered_at is null')).stdout.trim(),
        (count) => count === '0',
        60_000,
      );
      const { status } = await api<{ status: string }>(stack, tenant.apiKey, 'GET', `/api/v1/clients/${clientId}`);
      assert.equal(status, 'online');
    });
  },
);
