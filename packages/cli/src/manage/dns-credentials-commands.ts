import { everyItem } from '@tunnox/api-client/every-item';
import type { DnsCredential, ProviderKind } from '@tunnox/domain/api/dns';
import type { Command } from 'commander';
import { tableLines } from '../output/table.ts';
import { promptSecret } from '../prompt-secret.ts';
import { UsageError } from '../usage-error.ts';
import { idOf } from './arguments.ts';
import { confirm } from './confirm.ts';
import { manage, type ManageContext } from './manage.ts';
import { linesOrNothing, wholeList } from './whole-list.ts';

interface CreateOptions {
  provider: string;
  endpoint?: string;
}

interface UpdateOptions {
  name?: string;
  endpoint?: string;
  token?: boolean;
}

/** `tunnox dns credentials …` */
export function addDnsCredentialsCommands(dns: Command, context: ManageContext): void {
  const credentials = dns.command('credentials').description('Tokens for DNS providers');

  manage(
    context,
    credentials.command('list', { isDefault: true }).description('List them'),
    async ({ api, call, nowMs }) => {
      const found = await wholeList(everyItem('credentials', (page) => api.dns.credentials(page, call)));
      const rows = found.map((one) => [
        ...[one.credential_id, one.name, one.provider, one.endpoint ?? '–', one.zones],
        ...[`${one.calls}/${one.calls_max}`, blockedText(one, nowMs)],
      ]);
      const lines = tableLines(['id', 'name', 'provider', 'endpoint', 'zones', 'calls', 'waits'], rows);
      return {
        result: { credentials: found },
        lines: linesOrNothing(lines, found.length, 'No credentials: see `tunnox dns credentials create --help`.'),
      };
    },
  );

  manage(
    context,
    credentials.command('show <credential>').description('Show one'),
    async ({ api, call, nowMs }, [id]) => {
      const credential = await api.dns.credential(idOf(id, 'credential id'), call);
      return { result: { credential }, lines: describe(credential, nowMs) };
    },
  );

  manage<CreateOptions>(
    context,
    credentials
      .command('create <name>')
      .description('Keep a token, which is asked for, or read from standard input; nobody can read it again')
      .requiredOption('--provider <kind>', 'cloudflare or powerdns')
      .option('--endpoint <url>', "the provider's API, where it is not the provider's own (PowerDNS)"),
    async ({ api, options, io, call, nowMs }, [name = '']) => {
      const { provider, endpoint } = options;
      const token = await tokenOf(io);
      const credential = await api.dns.createCredential(
        // The server knows which providers there are.
        { name, provider: provider as ProviderKind, token, ...(endpoint === undefined ? {} : { endpoint }) },
        call,
      );
      return { result: { credential }, lines: describe(credential, nowMs) };
    },
  );

  manage<UpdateOptions>(
    context,
    credentials
      .command('update <credential>')
      .description('Change its name or endpoint, or give it another token')
      .option('--name <name>', 'its name')
      .option('--endpoint <url>', "the provider's API")
      .option('--token', 'ask for a new token'),
    async ({ api, options, io, call, nowMs }, [id]) => {
      const { name, endpoint, token } = options;
      if (name === undefined && endpoint === undefined && token !== true) {
        throw new UsageError('Say what shall change: --name, --endpoint or --token');
      }
      const change = {
        ...(name === undefined ? {} : { name }),
        ...(endpoint === undefined ? {} : { endpoint }),
        ...(token === true ? { token: await tokenOf(io) } : {}),
      };
      const credential = await api.dns.updateCredential(idOf(id, 'credential id'), change, call);
      return { result: { credential }, lines: describe(credential, nowMs) };
    },
  );

  manage<{ yes?: boolean }>(
    context,
    credentials.command('delete <credential>').description('Forget one').option('-y, --yes', 'do not ask'),
    async ({ api, options, io, call }, [id]) => {
      const { credential_id, name } = await api.dns.credential(idOf(id, 'credential id'), call);
      await confirm(`Forget the token ${name}?`, io, options);
      await api.dns.deleteCredential(credential_id, call);
      return { result: { credential_id }, lines: [`Credential ${credential_id} is deleted`] };
    },
  );
}

async function tokenOf(io: Parameters<typeof promptSecret>[1]): Promise<string> {
  const token = await promptSecret('Token: ', io);
  if (token === '') throw new UsageError('There is no token: type it, or let it come on standard input');
  return token;
}

function describe(one: DnsCredential, nowMs: number): string[] {
  const row = (label: string, value: string) => `${label.padEnd(14)}${value}`;
  return [
    row('Credential', `${one.credential_id} ${one.name}`),
    row('Provider', one.endpoint === null ? one.provider : `${one.provider} at ${one.endpoint}`),
    row('Zones', String(one.zones)),
    row('Calls', `${one.calls} of ${one.calls_max} in the last five minutes`),
    ...(one.blocked_until === null ? [] : [row('Waits', blockedText(one, nowMs))]),
  ];
}

function blockedText({ blocked_until }: DnsCredential, nowMs: number): string {
  if (blocked_until === null || Date.parse(blocked_until) <= nowMs) return '–';
  return `until ${blocked_until}`;
}
