import { readFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';
import { parse } from 'smol-toml';
import { z } from 'zod';

const wranglerSchema = z.object({
  name: z.string(),
  main: z.string(),
  compatibility_date: z.string(),
  compatibility_flags: z.array(z.string()).default([]),
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
    // Packages that name Node's own modules without the prefix; Wrangler does the same.
    alias: { crypto: 'node:crypto' },
    minify: options.minify === true,
    sourcemap: options.minify === true ? false : 'inline',
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
