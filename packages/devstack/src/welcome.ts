import { isAbsolute, join, relative } from 'node:path';
import type { StackConfig } from './stack-config.ts';
import { type Stack, stackFilePath } from './stack-file.ts';
import type { StartedStack } from './supervisor.ts';

/** Where the `tunnox` command looks for a server when nobody tells it. */
const DEFAULT_SERVER = 'http://127.0.0.1:9000';
const TUNNOX = join('node_modules', '.bin', 'tunnox');

/**
 * What the person who started the platform wants to know first: every line can be copied.
 *
 * @param cwd Paths below it are shown relative to it.
 */
export function welcome(
  { stack, localApiKey }: StartedStack,
  { home }: StackConfig,
  tookMs: number,
  cwd: string,
): string {
  const here = (path: string) => {
    const short = relative(cwd, path);
    return short.startsWith('..') || isAbsolute(short) ? path : short;
  };
  const server = stack.api_url === DEFAULT_SERVER ? '' : ` --server ${stack.api_url}`;
  const lines = [
    '',
    `Tunnox is ready (${(tookMs / 1000).toFixed(1)} s).`,
    '',
    ...demoLines(stack),
    '  Publish your own service, such as one on port 3000 (in another terminal, in the folder of this clone):',
    '',
    `    ${TUNNOX} http 3000${server}`,
    '',
    '  Under a name of your choice, with the key of your local account:',
    '',
    `    ${TUNNOX} login${server} --api-key ${localApiKey}`,
    `    ${TUNNOX} http 3000 --subdomain myapp`,
    '',
    `  API              ${stack.api_url}/api/v1 (the operator key is in ${here(stackFilePath(home))})`,
    `  HTTPS            port ${portOf(stack.relays[0]?.https)}, with certificates of ${here(stack.ca_file)}`,
    `  Logs             ${here(join(home, 'logs'))}`,
    '',
    '  Ctrl-C stops everything. What was made stays for the next start.',
    '',
  ];
  return lines.join('\n');
}

function demoLines({ demo_url, relays }: Stack): string[] {
  if (demo_url === null) return [];
  const { hostname } = new URL(demo_url);
  return [
    `  Demo             ${demo_url}`,
    ...relays.slice(1).map(({ http }, index) => `  through relay ${index + 2}  http://${hostname}:${portOf(http)}/`),
    '',
  ];
}

function portOf(address: string | undefined): string {
  return address?.split(':').at(-1) ?? '';
}
