import { setFlagsFromString } from 'node:v8';

// What a relay allocates on the way of a chunk dies at once. With Node's young heap of up to 128 MiB it would be kept
// until that is full: 50 MiB more after the first burst of traffic, and no faster. Set before anything is loaded,
// because the young heap never shrinks.
setFlagsFromString('--semi-space-growth-factor=1');

await import('./relay-process.ts');
