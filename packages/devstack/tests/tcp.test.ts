import assert from 'node:assert/strict';
import { once } from 'node:events';
import { connect, createServer, type AddressInfo, type Server, type Socket } from 'node:net';
import { before, it } from 'node:test';
import { text } from 'node:stream/consumers';
import { startAgent } from '@tunnox/testing/agent';
import { needs } from '@tunnox/testing/needs';
import { freePort } from '@tunnox/testing/free-port';
import { startRedis } from '@tunnox/testing/redis-fixture';
import { run } from './support/lines.ts';
import { managedClient } from './support/managed-client.ts';
import { inBothModes } from './support/modes.ts';
import { startSshServer } from './support/ssh-server.ts';
import { api, callApi, createTenant, type Tenant } from './support/tenant.ts';
import { eventually } from './support/eventually.ts';

inBothModes('TCP tunnels', { env: { TUNNOX_DEMO: 'off' } }, (context) => {
  let tenant: Tenant;
  before(async () => {
    tenant = await createTenant(context.platform.stack);
  });

  it('tunnox tcp carries psql', { skip: needs('psql') }, async () => {
    const { stack } = context.platform;
    const database = new URL(stack.postgres_url);
    const agent = await startAgent(context.platform, ['tcp', database.port], tenant.apiKey);
    try {
      const { hostname, port } = new URL((await agent.ready()).url);
      database.host = `${hostname}:${port}`;
      const answer = await run('psql', [database.href, '-tAc', 'select 6 * 7']);
      assert.deepEqual([answer.stdout.trim(), answer.code], ['42', 0], answer.stderr);
    } finally {
      await agent.stop();
    }
  });

  it('tunnox tcp carries redis-cli, at the port that was asked for', { skip: needs('redis-server') }, async () => {
    const { stack } = context.platform;
    const redis = await startRedis();
    const remotePort = stack.relays[1]?.public_ports.split('-')[1] ?? '';
    const agent = await startAgent(
      context.platform,
      ['tcp', String(redis.port), '--remote-port', remotePort],
      tenant.apiKey,
    );
    try {
      const { hostname, port } = new URL((await agent.ready()).url);
      assert.equal(port, remotePort);
      const answer = await run('redis-cli', ['-h', hostname, '-p', port, 'echo', 'through the tunnel']);
      assert.equal(answer.stdout.trim(), 'through the tunnel', answer.stderr);
    } finally {
      await agent.stop();
      await redis.stop();
    }
  });

  it('tunnox tcp carries ssh', { skip: needs('ssh', 'sshd') }, async () => {
    const server = await startSshServer();
    const agent = await startAgent(context.platform, ['tcp', String(server.port)], tenant.apiKey);
    try {
      const { hostname, port } = new URL((await agent.ready()).url);
      const answer = await run('ssh', [...server.clientArguments, '-p', port, hostname, 'echo', 'hello from ssh']);
      assert.equal(answer.stdout.trim(), 'hello from ssh', answer.stderr);
    } finally {
      await agent.stop();
      await server.stop();
    }
  });

  it('tunnox tcp keeps a half-close: nc sends, ends, and still gets the answer', { skip: needs('nc') }, async () => {
    const server = createServer({ allowHalfOpen: true }, (socket) => {
      void text(socket).then((all) => socket.end(all.toUpperCase()));
    });
    const port = await listen(server);
    const agent = await startAgent(context.platform, ['tcp', String(port)], tenant.apiKey);
    try {
      const url = new URL((await agent.ready()).url);
      const answer = await run('nc', ['-N', url.hostname, url.port], 'half-close');
      assert.equal(answer.stdout, 'HALF-CLOSE');
    } finally {
      await agent.stop();
      server.close();
    }
  });

  it('tunnox forward joins an agent at relay 1 with one at relay 2', async () => {
    const { relays } = context.platform.stack;
    const server = createServer(echoBack);
    const port = await listen(server);
    const target = await startAgent(context.platform, [
      'run',
      '-c',
      (await managedClient(context.platform.stack, context.platform.home, tenant)).configFile,
    ]);
    const { client_id: targetId, node_id: targetNode } = await target.ready();
    const localPort = await freePort();
    const args = ['forward', '--to', String(targetId), '--target', `127.0.0.1:${port}`, '--local', String(localPort)];
    const source = await startAgent(context.platform, args, tenant.apiKey);
    try {
      await source.ready();
      assert.equal(await echo(localPort, 'over the relays'), 'over the relays');
      // Wherever the two agents were: when the target's has moved to the other relay, both ways have been taken.
      const other = relays.find(({ node_id }) => node_id !== targetNode)?.node_id;
      await context.platform.killRelay(targetNode);
      assert.equal((await target.next('connected'))['node_id'], other);
      assert.equal(
        await eventually(
          () => echo(localPort, 'once more'),
          (back) => back !== '',
        ),
        'once more',
      );
    } finally {
      await source.stop();
      await target.stop();
      server.close();
    }
  });

  it('refuses another tenant’s client as a target', async () => {
    const { stack } = context.platform;
    const other = await createTenant(stack);
    const { client_id: theirs } = await api<{ client_id: number }>(stack, other.apiKey, 'POST', '/api/v1/clients', {
      client_name: 'theirs',
    });
    const { client_id: mine } = await api<{ client_id: number }>(stack, tenant.apiKey, 'POST', '/api/v1/clients', {
      client_name: 'mine',
    });
    const answer = await callApi(stack, tenant.apiKey, 'POST', '/api/v1/mappings', {
      source_client_id: mine,
      target_client_id: theirs,
      target_host: '127.0.0.1',
      target_port: 22,
      local_port: 2222,
    });
    assert.equal(answer.status, 404);
    const agent = await startAgent(
      context.platform,
      ['forward', '--to', String(theirs), '--target', '127.0.0.1:22', '--local', String(await freePort())],
      tenant.apiKey,
    );
    assert.equal((await agent.next('error'))['code'], 'not_found');
    assert.notEqual(await agent.exited, 0);
  });

  it('closes and refuses the tunnels of a mapping that is switched off, and serves it again when it is on', async () => {
    const { stack } = context.platform;
    const server = createServer(echoBack);
    const port = await listen(server);
    const agent = await startAgent(context.platform, ['tcp', String(port)], tenant.apiKey);
    try {
      const ready = await agent.ready();
      const publicPort = Number(new URL(ready.url).port);
      // The relay that was killed above listens again when the platform has restarted it.
      await eventually(
        () => echo(publicPort, 'on'),
        (back) => back === 'on',
      );
      const { mappings } = await api<{ mappings: { mapping_id: number; remote_port: number | null }[] }>(
        stack,
        tenant.apiKey,
        'GET',
        `/api/v1/clients/${ready.client_id}/mappings`,
      );
      const id = mappings.find(({ remote_port }) => remote_port === publicPort)?.mapping_id;
      const open = connect(publicPort, '127.0.0.1');
      open.write('x');
      await once(open, 'data');
      // Whether it ends in order or by a reset does not matter.
      open.on('error', () => undefined);
      const closed = new Promise((resolve) => open.once('close', resolve));
      await api(stack, tenant.apiKey, 'PUT', `/api/v1/mappings/${id}`, { enabled: false });
      await closed;
      assert.equal(await echo(publicPort, 'off'), '');
      await api(stack, tenant.apiKey, 'PUT', `/api/v1/mappings/${id}`, { enabled: true });
      assert.equal(
        await eventually(
          () => echo(publicPort, 'on again'),
          (back) => back !== '',
        ),
        'on again',
      );
    } finally {
      await agent.stop();
      server.close();
    }
  });
});

/** A service that says what it hears; its connections may be reset. */
function echoBack(socket: Socket): void {
  socket.on('error', () => undefined);
  socket.pipe(socket);
}

/** Sends `message`, ends, and gives what came back until the close; empty when it was reset. */
async function echo(port: number, message: string): Promise<string> {
  const socket = connect({ port, host: '127.0.0.1', allowHalfOpen: true });
  // A reset may also follow the end that text() waits for.
  socket.on('error', () => undefined);
  socket.end(message);
  return text(socket).catch(() => '');
}

async function listen(server: Server): Promise<number> {
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return (server.address() as AddressInfo).port;
}
