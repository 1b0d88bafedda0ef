import { execFile } from 'node:child_process';
import { mkdtemp, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import type { DocBlock } from './doc-blocks.ts';

const TIMEOUT_MS = 120_000;
const PACKAGE = fileURLToPath(new URL('../../', import.meta.url));
const ROOT = fileURLToPath(new URL('../../../../', import.meta.url));

/** Stands between the outputs of two blocks. */
const MARK = '@@ block ';

/**
 * Runs shell blocks one after the other in one bash. A note on the fence, such as `404`, is the status that is expected;
 * otherwise each call must succeed.
 *
 * @returns What each block has printed.
 * @throws {Error} that names the line of the block that failed.
 */
export async function runShellBlocks(blocks: DocBlock[], env: Record<string, string>): Promise<string[]> {
  const script = [
    'set -euo pipefail',
    // What a failed call was answered must be seen, also where it goes into a pipe.
    `curl() {
      local answer code=0
      answer=$(command curl -sS $FAIL "$@") || code=$?
      if [ $code = 0 ]; then printf '%s' "$answer"; else printf '%s\\n' "$answer" >&2; return $code; fi
    }`,
    ...blocks.map(({ text, note }, index) => {
      return `printf '\\n%s\\n' '${MARK}${index}'\nFAIL='${note === '' ? '--fail-with-body' : ''}'\n${text}`;
    }),
  ].join('\n');
  const { outputs, fault } = await run('bash', ['-c', script], env, tmpdir()).then(
    ({ stdout }) => ({ outputs: partsOf(stdout), fault: null }),
    (error: { stdout?: string; stderr?: string }) => ({ outputs: partsOf(error.stdout ?? ''), fault: error }),
  );
  if (fault !== null) {
    const last = outputs.at(-1) ?? '';
    throw new Error(`The block of line ${blocks[outputs.length - 1]?.line} failed:\n${last}\n${fault.stderr ?? ''}`);
  }
  return outputs;
}

/** Checks the types of TypeScript blocks as one module, and runs it. @throws {Error} with what the compiler or Node says. */
export async function runModuleBlocks(blocks: DocBlock[], env: Record<string, string>): Promise<void> {
  const folder = await mkdtemp(join(tmpdir(), 'tunnox-examples-'));
  try {
    await symlink(join(PACKAGE, 'node_modules'), join(folder, 'node_modules'));
    await writeFile(join(folder, 'package.json'), '{"type": "module"}\n');
    const file = join(folder, 'examples.ts');
    await writeFile(file, blocks.map(({ text, line }) => `// Line ${line}\n${text}\n`).join('\n'));
    await writeFile(
      join(folder, 'tsconfig.json'),
      JSON.stringify({
        extends: join(ROOT, 'tsconfig.json'),
        compilerOptions: { incremental: false, typeRoots: [join(ROOT, 'node_modules/@types')], noUnusedLocals: false },
        include: [file],
      }),
    );
    await run(process.execPath, [join(ROOT, 'node_modules/typescript/bin/tsc'), '-p', folder], env, folder);
    await run(process.execPath, [file], env, folder);
  } catch (error) {
    const { stdout = '', stderr = '' } = error as { stdout?: string; stderr?: string };
    throw new Error(`The TypeScript examples failed:\n${stdout}${stderr}`, { cause: error });
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

function run(command: string, args: string[], env: Record<string, string>, cwd: string) {
  const options = { env: { ...process.env, ...env }, cwd, timeout: TIMEOUT_MS, maxBuffer: 16 * 2 ** 20 };
  return promisify(execFile)(command, args, options);
}

function partsOf(stdout: string): string[] {
  return stdout
    .split(new RegExp(`\\n${MARK}\\d+\\n`))
    .slice(1)
    .map((part) => part.trim());
}
