import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { type AddressInfo, createServer, type Server } from 'node:net';
import { after, before, it } from 'node:test';
import { makeUlid } from '@tunnox/domain/ulid';
import type { AgentSession } from '@tunnox/domain/agent-api';
import { PROTOCOL_VERSION } from '@tunnox/protocol/version';
import { startAgent, type AgentProcess } from '@tunnox/testing/agent';
import { eventually } from './support/eventually.ts';
import { managedClient, type ManagedClient } from './support/managed-client.ts';
import { inBothModes } from './support/modes.ts';
import { api, createTenant, type Tenant } from './support/tenant.ts';
import { openVisitSession } from './support/visit-session.ts';

inBothModes('private mappings', { env: { TUNNOX_DEMO: 'off' } }, (context) => {
  let tenant: Tenant;
  let server: Server;
  let target: AgentProcess;
  let source: ManagedClient;
  let session: AgentSession;
  let mapping: { mapping_id: number; binding: string; secret: string };

  before(async () => {
    const { stack, home } = context.platform;
    tenant = await createTenant(stack);
    server = createServer((socket) => socket.pipe(socket)).listen(0, '127.0.0.1');
    await once(server, 'listening');
    const targetClient = await managedClient(stack, home, tenant);
    target = await startAgent(context.platform, ['run', '-c', targetClient.configFile]);
    await target.ready();
    source = await managedClient(stack, home, tenant);
    const { mapping_id } = await api<{ mapping_id: number }>(stack, tenant.apiKey, 'POST', '/api/v1/mappings', {
      source_client_id: source.clientId,
      target_client_id: targetClient.clientId,
      target_host: '127.0.0.1',
      target_port: (server.address() as AddressInfo).port,
      local_port: 40_000,
    });
    session = await sessionOf(source);
    const [binding] = session.config.bindings;
    assert.ok(binding?.role === 'source');
    mapping = { mapping_id, binding: `mapping:${mapping_id}`, secret: binding.secret };
  });
  after(async () => {
    await target.stop();
    server.close();
  });

  it('carry bytes from either relay to the target, one of the ways over the bridge', async () => {
    for (const { node_id } of context.platform.stack.relays) {
      const visitor = await openVisitSession(session, node_id);
      const echo = await visitor.echo(
        mapping.binding,
        { secret: mapping.secret, sourceClientId: source.clientId },
        'ping',
      );
      assert.equal(echo, 'ping');
      visitor.close();
    }
  });

  it('refuse a wrong secret, and a proof that was used before', async () => {
    for (const { node_id } of context.platform.stack.relays) {
      const visitor = await openVisitSession(session, node_id);
      const guessed = randomBytes(32).toString('base64url');
      await assert.rejects(visitor.echo(mapping.binding, { secret: guessed, sourceClientId: source.clientId }, 'x'), {
        tunnelCause: 'bad_proof',
      });
      const once = {
        secret: mapping.secret,
        sourceClientId: source.clientId,
        tunnelId: makeUlid(Date.now(), randomBytes(16)),
      };
      assert.equal(await visitor.echo(mapping.binding, once, 'first'), 'first');
      await assert.rejects(visitor.echo(mapping.binding, once, 'again'), { tunnelCause: 'bad_proof' });
      visitor.close();
    }
  });

  it('refuse another client, of the same tenant and of another one, also with the secret', async () => {
    const { stack, home } = context.platform;
    for (const owner of [tenant, await createTenant(stack)]) {
      const stranger = await managedClient(stack, home, owner);
      for (const { node_id } of stack.relays) {
        const visitor = await openVisitSession(await sessionOf(stranger), node_id);
        await assert.rejects(
          visitor.echo(mapping.binding, { secret: mapping.secret, sourceClientId: source.clientId }, 'x'),
          { tunnelCause: 'bad_proof' },
        );
        visitor.close();
      }
    }
  });

  it('refuse everybody while they are switched off', async () => {
    const { stack } = context.platform;
    const proof = { secret: mapping.secret, sourceClientId: source.clientId };
    await api(stack, tenant.apiKey, 'PUT', `/api/v1/mappings/${mapping.mapping_id}`, { enabled: false });
    for (const { node_id } of stack.relays) {
      const visitor = await openVisitSession(session, node_id);
      await assert.rejects(visitor.echo(mapping.binding, proof, 'x'), { tunnelCause: 'disabled' });
      visitor.close();
    }
    await api(stack, tenant.apiKey, 'PUT', `/api/v1/mappings/${mapping.mapping_id}`, { enabled: true });
    for (const { node_id } of stack.relays) {
      const visitor = await openVisitSession(session, node_id);
      assert.equal(await visitor.echo(mapping.binding, proof, 'on'), 'on');
      visitor.close();
    }
  });

  it('refuse a ticket from before the source’s code was rotated, at every relay', async () => {
    const { stack } = context.platform;
    await api(stack, tenant.apiKey, 'POST', `/api/v1/clients/${source.clientId}/rotate-code`);
    const proof = { secret: mapping.secret, sourceClientId: source.clientId };
    for (const { node_id } of stack.relays) {
      await eventually(
        async () => {
          const visitor = await openVisitSession(session, node_id).catch(() => null);
          const echo = visitor?.echo(mapping.binding, proof, 'x').catch(() => null);
          const outcome = (await echo) ?? null;
          visitor?.close();
          return outcome;
        },
        (outcome) => outcome === null,
      );
    }
  });

  function sessionOf({ clientId, authCode }: ManagedClient): Promise<AgentSession> {
    return api<AgentSession>(context.platform.stack, '', 'POST', '/agent/v1/session', {
      client_id: clientId,
      auth_code: authCode,
      agent_version: 'test',
      protocol: PROTOCOL_VERSION,
    });
  }
});
