import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { after, before, it } from 'node:test';
import type { Client, ClaimedClient } from '@tunnox/domain/api/clients';
import type { Domain } from '@tunnox/domain/api/domains';
import { type AgentProcess, startAgent } from '@tunnox/testing/agent';
import { eventually } from './support/eventually.ts';
import { inBothModes } from './support/modes.ts';
import { startTargetService, type TargetService } from './support/target-service.ts';
import { api, callApi, createTenant, type Tenant } from './support/tenant.ts';
import { open, visit, type Visited } from './support/visit.ts';

/** A browser's first visit. */
const BROWSER = {
  headers: { accept: 'text/html', 'user-agent': 'Mozilla/5.0', 'sec-fetch-mode': 'navigate' },
};

/** Between the claim and the first answer as the new client: a call of the control plane, a connection, a look-up. */
const BACK_MS = 2_000;

/** The other relay may know the name as an anonymous one for as long as it trusts the place of the client. */
const NO_PAGE_MS = 7_000;

interface SavedClient {
  client_id: number;
  auth_code: string;
}

inBothModes('claim of an anonymous client', { env: { TUNNOX_DEMO: 'off' } }, (context) => {
  let tenant: Tenant;
  let service: TargetService;
  let agent: AgentProcess;
  let host: string;
  let url: string;
  let was: SavedClient;
  let claimed: ClaimedClient;

  before(async () => {
    tenant = await createTenant(context.platform.stack);
    service = await startTargetService('claimed');
  });
  after(async () => {
    await agent?.stop();
    await service.stop();
  });

  const start = () => startAgent(context.platform, ['http', String(service.port)]);

  /** What the person who runs the command has on disk. */
  async function savedClients(): Promise<SavedClient[]> {
    const person = createHash('sha256').update('anonymous').digest('hex').slice(0, 12);
    const path = join(context.platform.home, 'persons', person, 'credentials.json');
    return (JSON.parse(await readFile(path, 'utf8')) as { clients: SavedClient[] }).clients;
  }

  const visitAll = (options = {}): Promise<Visited[]> =>
    Promise.all(context.platform.stack.relays.map(({ http }) => visit({ address: http }, host, '/', options)));

  const claim = ({ client_id, auth_code }: SavedClient) =>
    api<ClaimedClient>(context.platform.stack, tenant.apiKey, 'POST', '/api/v1/clients/claim', {
      anonymous_client_id: client_id,
      auth_code,
      new_client_name: 'mine',
    });

  it('an anonymous name shows browsers the warning page, and answers', async () => {
    agent = await start();
    ({ url } = await agent.ready());
    host = new URL(url).hostname;
    for (const page of await visitAll(BROWSER)) assert.match(page.text, /You are about to visit/);
    for (const answer of await visitAll()) assert.deepEqual([answer.status, answer.text], [200, 'claimed']);
    const [saved] = await savedClients();
    assert.ok(saved !== undefined && saved.client_id < 300_000_000);
    was = saved;
  });

  it('a claim leaves it under its name at every relay, without the page, and nobody did anything', async () => {
    // Somebody listens at each relay, and goes on listening.
    const listeners = await Promise.all(
      context.platform.stack.relays.map(async ({ http }) => {
        const response = await open({ address: http }, host, '/events', {});
        const events = response[Symbol.asyncIterator]() as AsyncIterator<Buffer>;
        const next = async () => String((await events.next()).value);
        assert.match(await next(), /data: 1\n/);
        return { response, next };
      }),
    );
    claimed = await claim(was);
    const word = await agent.next('claimed');
    assert.deepEqual([word['client_id'], word['previous_client_id']], [claimed.new_client_id, was.client_id]);
    await eventually(
      () => visitAll(),
      (answers) => answers.every(({ status, text }) => status === 200 && text === 'claimed'),
      BACK_MS,
    );
    await eventually(
      () => visitAll(BROWSER),
      (answers) => answers.every(({ text }) => text === 'claimed'),
      NO_PAGE_MS,
    );
    assert.deepEqual(
      (await savedClients()).map(({ client_id, auth_code }) => [client_id, auth_code]),
      [[claimed.new_client_id, claimed.new_auth_code]],
    );
    service.nextEvent();
    for (const { response, next } of listeners) {
      assert.match(await next(), /data: 2\n/);
      response.destroy();
    }
    const { stack } = context.platform;
    const path = `/api/v1/clients/${claimed.new_client_id}`;
    const client = await api<Client>(stack, tenant.apiKey, 'GET', path);
    assert.deepEqual([client.status, client.client_name, client.expires_at], ['online', 'mine', null]);
    const { domains } = await api<{ domains: Domain[] }>(stack, tenant.apiKey, 'GET', '/api/v1/domains');
    const own = domains.find(({ full_domain }) => full_domain === host);
    assert.deepEqual([own?.user_id, own?.expires_at, own?.status], [tenant.userId, null, 'active']);
    assert.ok(!agent.events.some(({ event }) => event === 'problem' || event === 'error'));
  });

  it('the old code is worth nothing as soon as the agent has shown the new one', async () => {
    const { stack } = context.platform;
    const old = await eventually(
      () =>
        callApi(stack, '', 'POST', '/agent/v1/session', {
          ...{ client_id: was.client_id, auth_code: was.auth_code, agent_version: 'test', protocol: 1 },
        }),
      ({ status }) => status === 403,
    );
    assert.equal(((await old.json()) as { code: string }).code, 'client_claimed');
  });

  it('killed and started again it is the same client under the same name', async () => {
    agent.kill('SIGKILL');
    await agent.exited;
    agent = await start();
    const ready = await agent.ready();
    assert.deepEqual([ready.client_id, ready.url], [claimed.new_client_id, url]);
    await eventually(
      () => visitAll(BROWSER),
      (answers) => answers.every(({ text }) => text === 'claimed'),
      NO_PAGE_MS,
    );
  });

  it('its owner disconnects it, and it comes back by itself', async () => {
    const { stack } = context.platform;
    const path = `/api/v1/clients/${claimed.new_client_id}`;
    const { attached_at } = await api<Client>(stack, tenant.apiKey, 'GET', path);
    await api(stack, tenant.apiKey, 'POST', `${path}/disconnect`);
    assert.equal((await agent.next('reconnecting'))['code'], 'disconnected');
    await agent.next('connected');
    const now = await eventually(
      () => api<Client>(stack, tenant.apiKey, 'GET', path),
      ({ status }) => status === 'online',
    );
    assert.notEqual(now.attached_at, attached_at);
  });

  it('an operator suspends it: visitors are told so, and it comes back when that is lifted', async () => {
    const { stack } = context.platform;
    const path = `/api/v1/clients/${claimed.new_client_id}`;
    await api(stack, stack.operator_key, 'PUT', path, { suspended: true, suspended_reason: 'A test' });
    assert.match(String((await agent.next('reconnecting'))['message']), /suspended by an operator: A test/);
    await eventually(
      () => visitAll(BROWSER),
      (answers) => answers.every(({ status, headers }) => status === 403 && headers['tunnox-error'] === 'disabled'),
      NO_PAGE_MS,
    );
    const refused = await callApi(stack, tenant.apiKey, 'PUT', path, { enabled: true });
    assert.equal(refused.status, 403);
    await api(stack, stack.operator_key, 'PUT', path, { suspended: false });
    // The agent asks twice a minute.
    await eventually(
      () => visitAll(),
      (answers) => answers.every(({ status, text }) => status === 200 && text === 'claimed'),
      45_000,
    );
  });

  it('an agent that is away during the claim is the new client when it starts', async () => {
    await agent.stop();
    // Another person's machine, as far as the platform knows.
    const elsewhere = { TUNNOX_CONFIG_DIR: join(context.platform.home, 'persons', 'away') };
    const away = () => startAgent(context.platform, ['http', String(service.port)], undefined, elsewhere);
    agent = await away();
    const first = await agent.ready();
    await agent.stop();
    const text = await readFile(join(elsewhere.TUNNOX_CONFIG_DIR, 'credentials.json'), 'utf8');
    const [saved] = (JSON.parse(text) as { clients: SavedClient[] }).clients;
    assert.ok(saved !== undefined);
    const { new_client_id } = await claim(saved);
    agent = await away();
    assert.equal((await agent.next('claimed'))['client_id'], new_client_id);
    const ready = await agent.ready();
    assert.deepEqual([ready.client_id, ready.url], [new_client_id, first.url]);
    host = new URL(first.url).hostname;
    await eventually(
      () => visitAll(BROWSER),
      (answers) => answers.every(({ status, text: body }) => status === 200 && body === 'claimed'),
      NO_PAGE_MS,
    );
  });
});
