/** Resolves when `ready` is true, looked at once a turn of the event loop. The runner's time-out is its limit. */
export async function eventually(ready: () => boolean): Promise<void> {
  while (!ready()) await new Promise((resolve) => setImmediate(resolve));
}
