import { readFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { build, type Plugin } from 'esbuild';
import { parse } from 'smol-toml';
import { z } from 'zod';

const wranglerSchema = z.object({
  name: z.string(),
  main: z.string(),
  compatibility_date: z.string(),
  compatibility_flags: z.array(z.string()).default([]),
  rules: z.array(z.object({ type: z.literal('Text'), globs: z.array(z.string().startsWith('**/')) })).default([]),
  durable_objects: z.object({ bindings: z.array(z.object({ name: z.string(), class_name: z.string() })) }),
});

/** The control plane's Worker, ready for workerd, as wrangler.toml describes it. */
export interface WorkerBundle {
  name: string;
  compatibilityDate: string;
  compatibilityFlags: string[];
  /** Durable Objects: binding name → class name. */
  objects: Record<string, string>;
  /** One ES module. */
  code: string;
}

/**
 * Bundles the Worker in memory.
 *
 * @param root Folder of wrangler.toml.
 * @param options `minify`: for keeping, short and without a source map; default: for running, with one.
 * @throws {Error} with esbuild's messages when the source does not build.
 */
export async function bundleWorker(root: URL, options: { minify?: boolean } = {}): Promise<WorkerBundle> {
  const wrangler = wranglerSchema.parse(parse(await readFile(new URL('wrangler.toml', root), 'utf8')));
  const { outputFiles } = await build({
    entryPoints: [fileURLToPath(new URL(wrangler.main, root))],
    absWorkingDir: fileURLToPath(root),
    write: false,
    bundle: true,
    format: 'esm',
    target: 'es2024',
    platform: 'neutral',
    mainFields: ['browser', 'module', 'main'],
    conditions: ['workerd', 'worker', 'browser'],
    external: ['cloudflare:*', 'node:*'],
    plugins: [textModules(wrangler.rules.flatMap(({ globs }) => globs))],
    // Packages that name Node's own modules without the prefix; Wrangler does the same.
    alias: { crypto: 'node:crypto' },
    minify: options.minify === true,
    sourcemap: options.minify === true ? false : 'inline',
    // The sources lie beside it; with them in it, each start would read twice as much.
    sourcesContent: false,
    logLevel: 'silent',
  });
  const code = outputFiles[0]?.text;
  if (code === undefined) throw new Error(`Cannot bundle ${wrangler.main}: esbuild gave no output`);
  return {
    name: wrangler.name,
    compatibilityDate: wrangler.compatibility_date,
    compatibilityFlags: wrangler.compatibility_flags,
    objects: Object.fromEntries(wrangler.durable_objects.bindings.map(({ name, class_name }) => [name, class_name])),
    code,
  };
}

/** Files that are imported as text, by wrangler's rules of the form `**` and a file name. */
function textModules(globs: string[]): Plugin {
  const names = globs.map((glob) => glob.slice('**/'.length).replaceAll(/[^\w-]/g, String.raw`\$&`));
  return {
    name: 'text-modules',
    setup(esbuild) {
      if (names.length === 0) return;
      esbuild.onLoad({ filter: new RegExp(`[\\\\/](?:${names.join('|')})$`) }, async ({ path }) => ({
        contents: await readFile(path, 'utf8'),
        loader: 'text',
      }));
    },
  };
}
