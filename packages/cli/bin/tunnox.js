#!/usr/bin/env node
import { existsSync } from 'node:fs';

const main = new URL('../dist/main.js', import.meta.url);
const [major, minor] = process.versions.node.split('.').map(Number);

if (major < 20 || (major === 20 && minor < 12)) {
  fail(`tunnox needs Node 20.12 or newer; this is ${process.versions.node}`);
} else if (!existsSync(main)) {
  fail('tunnox is not built yet: run `npm run build` in the repository');
} else {
  await import(main.href);
}

function fail(message) {
  process.stderr.write(`${message}\n`);
  process.exitCode = 1;
}
