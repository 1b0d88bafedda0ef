import { createInterface } from 'node:readline';

/** Parameters of this load program, given by the bench as one JSON argument. */
export function readParams(): unknown {
  return JSON.parse(process.argv[2] ?? 'null');
}

/** Hands one result to the bench. */
export function printJson(value: unknown): void {
  process.stdout.write(`${JSON.stringify(value)}\n`);
}

/**
 * Ends this process when its input ends: no load program outlives a bench that was killed.
 *
 * @param onCommand Called with each JSON line that the bench sends.
 */
export function endWithParent(onCommand: (command: unknown) => void = () => {}): void {
  createInterface({ input: process.stdin })
    .on('line', (line) => onCommand(JSON.parse(line)))
    .on('close', () => process.exit(0));
}
