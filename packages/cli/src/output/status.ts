import type pico from 'picocolors';
import { addressOf, type ShownBinding } from './cli-event.ts';

/** What the live view shows. */
export interface Status {
  state: 'connecting' | 'online' | 'reconnecting' | 'stopped';
  /** Time until the next try; null while something is tried, or nothing needs to be. */
  nextTryMs: number | null;
  server: string;
  clientId: number | null;
  anonymous: boolean;
  nodeId: string | null;
  region: string | null;
  transport: string | null;
  latencyMs: number | null;
  /** Addresses and what they lead to. */
  tunnels: { from: string[]; to: string }[];
  connectionsOpen: number;
  connectionsTotal: number;
  /** Visitor → target and back. */
  bytesIn: number;
  bytesOut: number;
  /** Good news that stays to be read; null: none. */
  notice: string | null;
  /** What is wrong with the connection, as long as it is; else the last trouble with a tunnel. */
  lastProblem: { message: string; at: Date } | null;
}

const LABEL_WIDTH = 13;
/** A wait that is shorter is over before it is read. */
const SHOWN_WAIT_MS_MIN = 2_000;
const UNITS = ['B', 'KiB', 'MiB', 'GiB', 'TiB'];

/** The live view as lines without colours' width problems: each label and value is coloured after it was cut. */
export function statusLines(status: Status, columns: number, c: ReturnType<typeof pico.createColors>): string[] {
  const lines: string[] = [];
  const row = (label: string, value: string, paint: (text: string) => string = (text) => text): void => {
    const room = Math.max(columns - LABEL_WIDTH - 1, 10);
    lines.push(`${c.dim(label.padEnd(LABEL_WIDTH))}${paint(cut(value, room))}`);
  };
  lines.push(`${c.bold('tunnox')}  ${c.dim('Ctrl-C stops')}`, '');
  row('Status', stateText(status), STATE_PAINT(c)[status.state]);
  row('Client', clientText(status));
  if (status.nodeId !== null) row('Relay', relayText(status));
  for (const { from, to } of status.tunnels) {
    // Addresses are there to be copied: they are never cut.
    from.forEach((address, index) => {
      const label = c.dim((index === 0 ? 'Forwarding' : '').padEnd(LABEL_WIDTH));
      const room = columns - LABEL_WIDTH - address.length - 4;
      lines.push(`${label}${c.cyan(address)}${room < to.length ? '' : ` → ${to}`}`);
    });
  }
  if (status.notice !== null) row('Note', status.notice, c.green);
  row('Connections', `${status.connectionsOpen} open, ${status.connectionsTotal} in all`);
  row('Traffic', `${bytesText(status.bytesIn)} in, ${bytesText(status.bytesOut)} out`);
  if (status.lastProblem !== null) {
    const { message, at } = status.lastProblem;
    row('Last problem', `${at.toTimeString().slice(0, 8)} ${message.split('\n')[0] ?? ''}`, c.yellow);
  }
  return lines;
}

/** `1536` → `1.5 KiB`. */
export function bytesText(bytes: number): string {
  let value = bytes;
  let unit = 0;
  while (value >= 1024 && unit < UNITS.length - 1) {
    value /= 1024;
    unit += 1;
  }
  return `${unit === 0 || value >= 100 ? Math.round(value) : value.toFixed(1)} ${UNITS[unit]}`;
}

/** Bindings as rows of the view. */
export function tunnelRows(bindings: ShownBinding[]): Status['tunnels'] {
  return bindings.map((binding) => ({
    from: [addressOf(binding)],
    to: binding.target ?? 'whatever the source names',
  }));
}

function STATE_PAINT(c: ReturnType<typeof pico.createColors>) {
  return { connecting: c.yellow, online: c.green, reconnecting: c.yellow, stopped: c.dim };
}

function stateText({ state, nextTryMs }: Status): string {
  if (nextTryMs === null || nextTryMs <= SHOWN_WAIT_MS_MIN) return state;
  return `${state}, next try in ${Math.ceil(nextTryMs / 1000)} s`;
}

function clientText({ clientId, anonymous, server }: Status): string {
  if (clientId === null) return `– at ${server}`;
  return `${clientId}${anonymous ? ' (anonymous, for 24 hours)' : ''} at ${server}`;
}

function relayText({ nodeId, region, transport, latencyMs }: Status): string {
  const latency = latencyMs === null ? '' : `, ${latencyMs < 10 ? latencyMs.toFixed(1) : Math.round(latencyMs)} ms`;
  const place = region === null || region === 'default' ? '' : `, ${region}`;
  return `${nodeId ?? ''}${place}${transport === 'ws' ? ', by WebSocket' : ''}${latency}`;
}

function cut(text: string, columns: number): string {
  return text.length <= columns ? text : `${text.slice(0, columns - 1)}…`;
}
