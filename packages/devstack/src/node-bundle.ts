import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';

/** Packages in CommonJS call `require`, which an ES module does not have. */
const REQUIRE = `import { createRequire as tunnoxCreateRequire } from 'node:module';
const require = tunnoxCreateRequire(import.meta.url);`;

/**
 * Bundles a program for Node with all that it imports.
 *
 * @returns One ES module, short, for keeping.
 * @throws {Error} with esbuild's messages when the source does not build.
 */
export async function bundleNodeProgram(entry: URL): Promise<string> {
  const { outputFiles } = await build({
    entryPoints: [fileURLToPath(entry)],
    write: false,
    bundle: true,
    platform: 'node',
    target: 'node20.12',
    format: 'esm',
    banner: { js: REQUIRE },
    // Native accelerators that `ws` uses when somebody has installed them.
    external: ['bufferutil', 'utf-8-validate'],
    minify: true,
    legalComments: 'none',
    logLevel: 'silent',
    // A relay's entry point waits for the rest of it.
    supported: { 'top-level-await': true },
  });
  const code = outputFiles[0]?.text;
  if (code === undefined) throw new Error(`Cannot bundle ${entry.href}: esbuild gave no output`);
  return code;
}
