// Bundles the `tunnox` command: packages/cli/src/main.ts → packages/cli/dist/main.js, one file for Node ≥ 20.12.
import { mkdir, rename, writeFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';

const cli = new URL('../packages/cli/', import.meta.url);

/** Packages in CommonJS call `require`, which an ES module does not have. */
const REQUIRE = `import { createRequire as tunnoxCreateRequire } from 'node:module';
const require = tunnoxCreateRequire(import.meta.url);`;

export async function buildCli() {
  const { build } = await import('esbuild');
  const { outputFiles } = await build({
    entryPoints: [fileURLToPath(new URL('src/main.ts', cli))],
    outfile: fileURLToPath(new URL('dist/main.js', cli)),
    write: false,
    bundle: true,
    platform: 'node',
    target: 'node20.12',
    format: 'esm',
    banner: { js: REQUIRE },
    // Native accelerators that `ws` uses when somebody has installed them.
    external: ['bufferutil', 'utf-8-validate'],
    legalComments: 'linked',
    minifySyntax: true,
    logLevel: 'warning',
  });
  await mkdir(new URL('dist/', cli), { recursive: true });
  // In one step each: the command may be starting at this moment.
  for (const { path, contents } of outputFiles) {
    await writeFile(`${path}.${process.pid}`, contents);
    await rename(`${path}.${process.pid}`, path);
  }
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  try {
    await buildCli();
  } catch (error) {
    const missing = error?.code === 'ERR_MODULE_NOT_FOUND';
    process.stderr.write(
      missing ? 'Cannot build: run `npx pnpm install` first\n' : `Cannot build the command: ${error}\n`,
    );
    process.exitCode = 1;
  }
}
