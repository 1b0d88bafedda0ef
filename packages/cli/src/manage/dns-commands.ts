import type { Command } from 'commander';
import { addDnsCredentialsCommands } from './dns-credentials-commands.ts';
import { addDnsRecordsCommands } from './dns-records-commands.ts';
import { addDnsZonesCommands } from './dns-zones-commands.ts';
import type { ManageContext } from './manage.ts';

/** `tunnox dns …` */
export function addDnsCommands(program: Command, context: ManageContext): void {
  const dns = program.command('dns').description('Connect zones at DNS providers, and keep records in them');
  addDnsCredentialsCommands(dns, context);
  addDnsZonesCommands(dns, context);
  addDnsRecordsCommands(dns, context);
}
