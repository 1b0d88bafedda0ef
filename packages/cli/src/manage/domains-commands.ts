import { everyItem } from '@tunnox/api-client/every-item';
import type { Domain } from '@tunnox/domain/api/domains';
import type { Command } from 'commander';
import { CliError } from '../cli-error.ts';
import { bytesText } from '../output/status.ts';
import { tableLines } from '../output/table.ts';
import { formatHostPort, parseHttpTarget } from '../target.ts';
import { idOf, numberArgument } from './arguments.ts';
import { confirm } from './confirm.ts';
import { deliveryLines } from './delivery-lines.ts';
import { explainDomain } from './explain-domain.ts';
import { manage, type ManageContext } from './manage.ts';
import { linesOrNothing, wholeList } from './whole-list.ts';

interface CreateOptions {
  to: number;
  subdomain?: string;
  domain?: string;
  hostHeader?: string;
}

/** `tunnox domains …` */
export function addDomainsCommands(program: Command, context: ManageContext): void {
  const domains = program.command('domains').description('List, make and change HTTP names');

  manage<{ of?: number }>(
    context,
    domains
      .command('list', { isDefault: true })
      .description('List your names')
      .option('--of <client>', 'only those that this client serves', numberArgument),
    async ({ api, options, call }) => {
      const filter = options.of === undefined ? {} : { client_id: options.of };
      const found = await wholeList(everyItem('domains', (page) => api.domains.list({ ...page, ...filter }, call)));
      const rows = found.map((one) => [
        ...[one.domain_id, one.full_domain, targetText(one), one.status],
        bytesText(one.total_bytes_in + one.total_bytes_out),
      ]);
      const lines = tableLines(['id', 'name', 'to', 'status', 'traffic'], rows);
      return {
        result: { domains: found },
        lines: linesOrNothing(lines, found.length, 'No names: see `tunnox domains create --help`, or `tunnox http`.'),
      };
    },
  );

  manage(context, domains.command('show <domain>').description('Show one name'), async ({ api, call }, [wish]) => {
    const domain = await findDomain(api.domains, wish, call);
    return { result: { domain }, lines: describe(domain) };
  });

  manage<CreateOptions>(
    context,
    domains
      .command('create <target>')
      .description('Make a name for <target>: a port, host:port or http(s)://host:port as the client --to sees it')
      .requiredOption('--to <client>', 'client behind which the target is', numberArgument)
      .option('--subdomain <name>', "name under the server's domain; a random one if left out")
      .option('--domain <name>', 'domain of your own')
      .option('--host-header <host>', 'Host header that the target gets'),
    async ({ api, options, call }, [target = '']) => {
      const place = parseHttpTarget(target);
      const { to, subdomain, domain: custom, hostHeader } = options;
      const domain = await api.domains.create(
        {
          ...{ client_id: to, target_host: place.host, target_port: place.port },
          ...(place.scheme === 'https' ? { target_scheme: 'https' as const } : {}),
          ...(subdomain === undefined ? {} : { subdomain }),
          ...(custom === undefined ? {} : { domain: custom }),
          ...(hostHeader === undefined ? {} : { host_header: hostHeader }),
        },
        call,
      );
      return { result: { domain }, lines: [...describe(domain), ...deliveryLines(domain.delivery)] };
    },
  );

  manage(
    context,
    domains.command('verify <domain>').description('Look now for the record that proves a domain of your own'),
    async ({ api, call }, [wish]) => {
      const { domain_id } = await findDomain(api.domains, wish, call);
      const domain = await api.domains.verify(domain_id, call);
      const checks = domain.checks.map(
        ({ type, name, found, matches }) =>
          `${matches ? 'found  ' : 'missing'}  ${type} ${name}${!matches && found.length > 0 ? `: it holds ${found.join(', ')}` : ''}`,
      );
      return { result: { domain }, lines: [...checks, ...describe(domain)] };
    },
  );

  manage(
    context,
    domains.command('explain <domain>').description('Tell what a domain of your own still needs, record by record'),
    async ({ api, call, nowMs }, [wish]) => {
      const domain = await findDomain(api.domains, wish, call);
      return { result: { domain }, lines: explainDomain(domain, nowMs) };
    },
  );

  for (const [word, enabled] of [['enable', true] as const, ['disable', false] as const]) {
    manage(
      context,
      domains.command(`${word} <domain>`).description(enabled ? 'Switch it on' : 'Switch it off, and keep the name'),
      async ({ api, call }, [wish]) => {
        const { domain_id } = await findDomain(api.domains, wish, call);
        const domain = await api.domains.update(domain_id, { enabled }, call);
        return {
          result: { domain },
          lines: [`${domain.full_domain} is ${domain.status}`, ...deliveryLines(domain.delivery)],
        };
      },
    );
  }

  manage<{ yes?: boolean }>(
    context,
    domains.command('delete <domain>').description('Give the name up').option('-y, --yes', 'do not ask'),
    async ({ api, options, io, call }, [wish]) => {
      const { domain_id, full_domain } = await findDomain(api.domains, wish, call);
      await confirm(`Give up ${full_domain}?`, io, options);
      await api.domains.delete(domain_id, call);
      return { result: { domain_id }, lines: [`${full_domain} is given up`] };
    },
  );

  manage(
    context,
    domains.command('check <name>').description('Tell whether a name is free'),
    async ({ api, call }, [name = '']) => {
      const answer = await api.domains.availability(name, {}, call);
      const lines = [
        answer.available ? `${answer.full_domain ?? name} is free` : (answer.detail ?? `${name} is not free`),
      ];
      return { result: answer, lines };
    },
  );
}

/** By id, or by name. */
async function findDomain(
  domains: Parameters<Parameters<typeof manage>[2]>[0]['api']['domains'],
  wish: string | undefined,
  call: { signal?: AbortSignal | undefined },
): Promise<Domain> {
  if (wish === undefined || /^\d+$/.test(wish)) return await domains.get(idOf(wish, 'domain id'), call);
  for await (const domain of everyItem('domains', (page) => domains.list(page, call))) {
    if (domain.full_domain === wish.toLowerCase() || domain.subdomain === wish.toLowerCase()) return domain;
  }
  throw new CliError('not_found', `You have no name ${wish}: see \`tunnox domains\``);
}

function targetText({ target_scheme, target_host, target_port, client_id }: Domain): string {
  return `${target_scheme}://${formatHostPort(target_host, target_port)} behind ${client_id}`;
}

function describe(domain: Domain): string[] {
  const row = (label: string, value: string) => `${label.padEnd(14)}${value}`;
  return [
    row('Name', `${domain.full_domain} (id ${domain.domain_id})`),
    ...domain.urls.map((url) => row('Address', url)),
    row('To', targetText(domain)),
    row('Status', domain.status),
    ...domain.problems.map(({ client_id, message }) => row('Problem', `client ${client_id}: ${message}`)),
    ...(domain.verification_state === 'verified'
      ? []
      : ['', 'Prove that it is yours by one of these records in its DNS:']),
    ...(domain.verification_state === 'verified'
      ? []
      : domain.proofs.map(({ type, name, value }) => `  ${type.padEnd(5)} ${name}  ${value}`)),
  ];
}
