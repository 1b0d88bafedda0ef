import type { Facts } from './fixture.ts';
import type { MadeClients } from './make-clients.ts';
import type { WorkerOnDatabase } from './worker-on-database.ts';

export async function makeMappings(
  worker: WorkerOnDatabase,
  keys: Facts['keys'],
  { server, laptop }: MadeClients,
): Promise<Facts['mappings']> {
  const ends = { source_client_id: laptop.clientId, target_client_id: server.clientId };
  const make = async (body: object): Promise<number> =>
    (await worker.call('POST', '/mappings', body, keys.full))['mapping_id'] as number;
  const access = { allow: ['10.0.0.0/8', '2001:db8::/32'], deny: ['10.9.0.1'] };
  const mappings = {
    privateTcp: await make({ ...ends, name: 'db', target_host: 'db.internal', target_port: 5432, local_port: 5433 }),
    socks5: await make({ ...ends, protocol: 'socks5', local_port: 1080 }),
    publicTcp: await make({ target_client_id: server.clientId, target_port: 22, remote_port: 20_003, access }),
  };
  const disabled = await make({ target_client_id: server.clientId, target_port: 23 });
  await worker.call('PUT', `/mappings/${disabled}`, { enabled: false, name: 'switched off' }, keys.full);
  const deleted = await make({ target_client_id: server.clientId, target_port: 24 });
  await worker.call('DELETE', `/mappings/${deleted}`, undefined, keys.full);
  return mappings;
}

export async function makeDomains(
  worker: WorkerOnDatabase,
  keys: Facts['keys'],
  { server, anonymous }: MadeClients,
): Promise<{ domains: Omit<Facts['domains'], 'untold'>; domainIds: Facts['domainIds'] }> {
  const client_id = server.clientId;
  const make = (body: object, token: string) => worker.call('POST', '/domains', body, token);
  const shop = await make({ client_id, subdomain: 'shop', target_port: 3000, host_header: 'shop.internal' }, keys.full);
  const access = { deny: ['192.0.2.0/24'] };
  const second = { client_id, subdomain: 'journal', base_domain: 'second.example', target_scheme: 'https', access };
  const journal = await make({ ...second, target_port: 8443, tls_mode: 'off' }, keys.full);
  await worker.call('PUT', `/domains/${journal['domain_id']}`, { enabled: false }, keys.full);
  const pending = await make({ client_id, domain: 'www.customer.example', target_port: 80 }, keys.full);
  // The same name, wanted by somebody else: neither has proved it.
  const bobs = await worker.call('GET', '/clients', undefined, keys.bob);
  const bob = bobs['clients'][0]['client_id'] as number;
  await make({ client_id: bob, domain: 'www.customer.example', target_port: 81 }, keys.bob);
  const deleted = await make({ client_id, subdomain: 'gone', target_port: 1 }, keys.full);
  await worker.call('DELETE', `/domains/${deleted['domain_id']}`, undefined, keys.full);
  const session = await worker.session(anonymous);
  const random = await make({ target_port: 3000 }, session['access_token'] as string);
  return {
    domains: {
      name: shop['full_domain'] as string,
      pending: pending['full_domain'] as string,
      anonymous: random['full_domain'] as string,
    },
    domainIds: { name: shop['domain_id'] as number, pending: pending['domain_id'] as number },
  };
}
