import { everyItem } from '@tunnox/api-client/every-item';
import { ManagementApi } from '@tunnox/api-client/management-api';
import { ANONYMOUS_CLIENT_ID_MAX } from '@tunnox/domain/ids';
import { EXIT } from '../exit-codes.ts';
import type { Io } from '../io.ts';
import { openPrinter } from '../output/open-printer.ts';
import { openServer } from '../server/open-server.ts';
import { type GlobalOptions, resolveSettings, type Settings } from '../settings.ts';
import { formatHostPort } from '../target.ts';

interface Row {
  id: number;
  text: string;
}

/** `tunnox status`: who one is at the server, and what one has there. */
export async function status(options: GlobalOptions, io: Io): Promise<number> {
  const settings = await resolveSettings(options, io.env);
  const found =
    settings.apiKey === undefined ? await anonymous(settings) : await account(settings, settings.apiKey, io.signal);
  const printer = openPrinter(io, settings.json);
  if (settings.json) printer.print({ event: 'result', command: 'status', server: settings.server, ...found.result });
  else io.stdout.write(`${found.lines.join('\n')}\n`);
  await printer.close();
  return EXIT.ok;
}

async function anonymous({ server, credentials }: Settings) {
  const { clients } = await credentials.read();
  const ids = clients
    .filter((saved) => saved.server === server && saved.owner === 'anonymous')
    .map(({ client_id }) => client_id);
  const lines = [
    `Server   ${server}`,
    'Account  none: names are random and end after 24 hours. Log in with `tunnox login`',
    ...(ids.length === 0 ? [] : [`Clients  ${ids.map(clientText).join(', ')}`]),
  ];
  return { result: { username: null, clients: ids.map((client_id) => ({ client_id })) }, lines };
}

async function account(settings: Settings, apiKey: string, signal: AbortSignal) {
  const { server } = settings;
  const { caller } = await openServer(settings);
  const api = new ManagementApi(caller, apiKey);
  const { user } = await api.me({ signal });
  const clients = await all(everyItem('clients', (query) => api.clients.list(query, { signal })));
  const domains = await all(everyItem('domains', (query) => api.domains.list(query, { signal })));
  const mappings = await all(everyItem('mappings', (query) => api.mappings.list(query, { signal })));
  const rows: Row[] = [
    ...domains.map((domain) => ({
      id: domain.client_id,
      text: `${domain.url} → ${domain.target_scheme}://${formatHostPort(domain.target_host, domain.target_port)} (${domain.status})`,
    })),
    ...mappings.map((mapping) => {
      const from = mapping.urls[0] ?? `port ${mapping.local_port ?? '?'} of client ${mapping.source_client_id ?? '?'}`;
      const { target_host: host, target_port: port } = mapping;
      const to = host === null || port === null ? 'whatever the source names' : formatHostPort(host, port);
      return { id: mapping.target_client_id, text: `${from} → ${to} (${mapping.status})` };
    }),
  ];
  const lines = [
    `Server   ${server}`,
    `Account  ${user === null ? 'operator' : `${user.username} (plan ${user.plan})`}`,
    ...clients.flatMap((client) => [
      `Client   ${client.client_id} ${client.client_name}: ${client.status}${client.node_id === null ? '' : ` at ${client.node_id}`}`,
      ...rows.filter(({ id }) => id === client.client_id).map(({ text }) => `  ${text}`),
    ]),
  ];
  return { result: { username: user?.username ?? null, clients, domains, mappings }, lines };
}

async function all<T>(items: AsyncIterable<T>): Promise<T[]> {
  const found: T[] = [];
  for await (const item of items) found.push(item);
  return found;
}

/** One that was claimed is used on without an account here. */
function clientText(clientId: number): string {
  return clientId > ANONYMOUS_CLIENT_ID_MAX ? `${clientId} (claimed, of an account)` : String(clientId);
}
