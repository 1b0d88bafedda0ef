/** Value of a Prometheus metric without labels, or the sum over its labels, at a relay's metrics address. */
export async function gauge(address: string, name: string): Promise<number> {
  const answer = await fetch(`http://${address}/metrics`);
  const lines = (await answer.text())
    .split('\n')
    .filter((line) => line.startsWith(`${name} `) || line.startsWith(`${name}{`));
  if (lines.length === 0) throw new Error(`There is no metric ${name}`);
  return lines.reduce((sum, line) => sum + Number(line.slice(line.lastIndexOf(' ') + 1)), 0);
}
