import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { test } from 'node:test';
import { ApiCaller } from '@tunnox/api-client/api-caller';
import { ManagementApi } from '@tunnox/api-client/management-api';
import type { Stack } from '@tunnox/devstack/stack-file';
import { needs } from '@tunnox/testing/needs';
import { startPowerDns } from '@tunnox/testing/powerdns';
import { type RunningStack, startStack } from '@tunnox/testing/stack';
import { type DocBlock, docBlocks, shapeFaults } from './support/doc-blocks.ts';
import { startProofRecords } from './support/proof-records.ts';
import { runModuleBlocks, runShellBlocks } from './support/run-examples.ts';

const PAGE = new URL('../../../docs/API.md', import.meta.url);

test('shapeFaults() finds members that are missing, surplus, or of another type', () => {
  const shown = { id: 1, name: 'a', items: [{ x: 1 }], until: null };
  assert.deepEqual(shapeFaults(shown, { id: 2, name: '', items: [{ x: 3 }, { x: 4 }], until: 'now' }), []);
  assert.deepEqual(shapeFaults(shown, { id: '2', items: [{ x: 3 }, {}], until: null, more: 1 }), [
    '/id: number is shown, string is answered',
    '/name: is shown, and not answered',
    '/items/1/x: is shown, and not answered',
    '/more: is answered, and not shown',
  ]);
  assert.deepEqual(shapeFaults({ id: 1, '…': '…' }, { id: 2, more: 1 }), []);
  assert.deepEqual(shapeFaults({ items: [{}] }, { items: [] }), ['/items: items are shown, none is answered']);
});

test(
  'docs/API.md: every example runs as written and is answered as shown',
  {
    skip: needs('curl', 'jq', 'pdns_server'),
    timeout: 240_000,
  },
  async () => {
    const blocks = docBlocks(await readFile(PAGE, 'utf8'));
    const shell = blocks.filter(({ language }) => language === 'sh');
    const modules = blocks.filter(({ language }) => language === 'ts');
    assert.ok(shell.length > 10 && modules.length > 5, 'the page has examples');
    let platform: RunningStack | undefined;
    const records = await startProofRecords(async (name) =>
      platform === undefined ? [] : proofsAt(platform.stack, name),
    );
    const powerDns = await startPowerDns();
    try {
      await powerDns.createZone('bakery.example');
      platform = await startStack({ env: { TUNNOX_DEMO: 'off', DNS_RESOLVER_URL: records.url } });
      const env = {
        TUNNOX: platform.stack.api_url,
        OPERATOR_KEY: platform.stack.operator_key,
        POWERDNS_URL: powerDns.apiUrl,
        POWERDNS_TOKEN: powerDns.apiKey,
      };
      await assertComplete(platform.stack.api_url, shell);
      const outputs = await runShellBlocks(shell, env);
      const faults = shell.flatMap((block, index) =>
        answerFaults(block, following(blocks, block), outputs[index] ?? ''),
      );
      assert.deepEqual(faults, []);
      await runModuleBlocks(modules, env);
    } finally {
      await platform?.stop();
      await records.stop();
      await powerDns.stop();
    }
  },
);

/** Each resource that the API's own description names has an example. */
async function assertComplete(apiUrl: string, shell: DocBlock[]): Promise<void> {
  const answer = await fetch(`${apiUrl}/openapi.json`);
  const { paths } = (await answer.json()) as { paths: Record<string, unknown> };
  const resources = new Set(Object.keys(paths).flatMap((path) => /^\/api\/v1\/[^/]+/.exec(path) ?? []));
  assert.ok(resources.size > 10, 'the description has resources');
  const missing = [...resources].filter((resource) => !shell.some(({ text }) => text.includes(resource)));
  assert.deepEqual(missing, [], 'resources without an example in docs/API.md');
}

/** The owners of names have made the records that they were told to make. */
async function proofsAt({ api_url: server, operator_key: key }: Stack, name: string): Promise<string[]> {
  const api = new ManagementApi(new ApiCaller({}, { server, userAgent: 'tunnox-test' }), key);
  const { domains } = await api.domains.list({ limit: 100 });
  const proofs = domains.flatMap((domain) => domain.proofs);
  return proofs.filter((proof) => proof.type === 'TXT' && proof.name === name).map((proof) => proof.value);
}

/** What a shell block has printed against the `json` block that follows it, if one does. */
function answerFaults(block: DocBlock, next: DocBlock | undefined, output: string): string[] {
  const at = `docs/API.md:${block.line}`;
  if (block.note !== '' && (JSON.parse(output) as { status?: number }).status !== Number(block.note)) {
    return [`${at}: the status is not ${block.note}: ${output}`];
  }
  if (next?.language !== 'json') return [];
  return shapeFaults(JSON.parse(next.text), JSON.parse(output)).map((fault) => `${at}${fault}`);
}

function following(blocks: DocBlock[], block: DocBlock): DocBlock | undefined {
  return blocks[blocks.indexOf(block) + 1];
}
