import { everyItem } from '@tunnox/api-client/every-item';
import type { ManagementApi } from '@tunnox/api-client/management-api';
import type { CallOptions } from '@tunnox/api-client/resource';
import type { Certificate } from '@tunnox/domain/api/certificates';
import type { Command } from 'commander';
import { CliError } from '../cli-error.ts';
import { tableLines } from '../output/table.ts';
import { idOf } from './arguments.ts';
import { manage, type ManageContext } from './manage.ts';
import { linesOrNothing, wholeList } from './whole-list.ts';

const DAY_MS = 86_400_000;

/** `tunnox certs …` */
export function addCertsCommands(program: Command, context: ManageContext): void {
  const certs = program.command('certs').description('List and renew the certificates of your names');

  manage(context, certs.command('list', { isDefault: true }).description('List them'), async ({ api, call, nowMs }) => {
    const found = await wholeList(everyItem('certificates', (page) => api.certificates.list(page, call)));
    const rows = found.map((one) => [
      ...[one.certificate_id, one.names.join(' '), one.state, endText(one, nowMs)],
      ...[one.challenge, one.next_attempt_at ?? '–', one.last_error ?? ''],
    ]);
    const lines = tableLines(['id', 'names', 'state', 'ends', 'proof', 'next', ''], rows);
    return { result: { certificates: found }, lines: linesOrNothing(lines, found.length, 'No certificates.') };
  });

  manage(
    context,
    certs.command('show <certificate>').description('Show one, by its id or a name'),
    async ({ api, call, nowMs }, [wish]) => {
      const certificate = await findCertificate(api, wish, call);
      return { result: { certificate }, lines: describe(certificate, nowMs) };
    },
  );

  manage(
    context,
    certs.command('renew <certificate>').description('Obtain it anew now, by its id or a name'),
    async ({ api, call, nowMs }, [wish]) => {
      const { certificate_id } = await findCertificate(api, wish, call);
      const certificate = await api.certificates.renew(certificate_id, call);
      return { result: { certificate }, lines: describe(certificate, nowMs) };
    },
  );
}

async function findCertificate(api: ManagementApi, wish: string | undefined, call: CallOptions): Promise<Certificate> {
  if (wish === undefined || /^\d+$/.test(wish)) return await api.certificates.get(idOf(wish, 'certificate id'), call);
  const { certificates } = await api.certificates.list({ name: wish.toLowerCase() }, call);
  const [found] = certificates;
  if (found === undefined) throw new CliError('not_found', `You have no certificate for ${wish}: see \`tunnox certs\``);
  return found;
}

function endText({ not_after }: Certificate, nowMs: number): string {
  if (not_after === null) return '–';
  const days = Math.floor((Date.parse(not_after) - nowMs) / DAY_MS);
  return days < 0 ? 'ended' : `in ${days} d`;
}

function describe(one: Certificate, nowMs: number): string[] {
  const row = (label: string, value: string) => `${label.padEnd(14)}${value}`;
  return [
    row('Certificate', `${one.certificate_id} for ${one.names.join(', ')}`),
    row('State', one.state),
    row('Ends', one.not_after === null ? 'there is none yet' : `${one.not_after} (${endText(one, nowMs)})`),
    row('Proved by', one.challenge),
    ...(one.next_attempt_at === null ? [] : [row('Next step', one.next_attempt_at)]),
    ...(one.last_error === null ? [] : [row('Error', `${one.last_error} (${one.retry_count} orders)`)]),
    ...(one.delegation === null || one.last_error === null
      ? []
      : [
          '',
          'The proofs for it can be left to the platform by this record:',
          `  ${one.delegation.type.padEnd(5)} ${one.delegation.name}  ${one.delegation.value}`,
        ]),
  ];
}
