import type { Writable } from 'node:stream';
import pico from 'picocolors';
import { addressOf, type CliEvent, type ShownBinding } from './cli-event.ts';
import { flushed } from './json-printer.ts';
import type { Printer } from './printer.ts';

type Colors = ReturnType<typeof pico.createColors>;

/** Lines for people: where the output goes to is no terminal, or the command does not stay. */
export class PlainPrinter implements Printer {
  readonly #out: Writable;
  readonly #error: Writable;
  readonly #colors: Colors;
  #lastSetback = '';

  constructor(streams: { out: Writable; error: Writable }, useColors: boolean) {
    this.#out = streams.out;
    this.#error = streams.error;
    this.#colors = pico.createColors(useColors);
  }

  print(event: CliEvent): void {
    const setback = event.event === 'reconnecting' ? event.message : '';
    // Tried many times, told once.
    if (setback !== '' && setback === this.#lastSetback) return;
    this.#lastSetback = setback;
    switch (event.event) {
      case 'problem':
      case 'replaced':
      case 'error':
        this.#error.write(`${eventLines(event, this.#colors).join('\n')}\n`);
        return;
      default: {
        const lines = eventLines(event, this.#colors);
        if (lines.length > 0) this.#out.write(`${lines.join('\n')}\n`);
      }
    }
  }

  async close(): Promise<void> {
    await flushed(this.#out);
    await flushed(this.#error);
  }
}

/** An event in words; none for those that say nothing to a person. */
export function eventLines(event: CliEvent, c: Colors): string[] {
  switch (event.event) {
    case 'connecting':
      return ['Connecting …'];
    case 'connected':
      return [`Connected to ${event.node_id} as client ${event.client_id}`];
    case 'reconnecting':
      return [`${event.message}; trying again …`];
    case 'ready':
      return readyLines(event, c);
    case 'config':
      return bindingLines(event.bindings, c);
    case 'claimed':
      return [`${c.green('claimed')}: ${event.message}`];
    case 'problem':
      return [`${c.yellow('warning')}: ${event.message}`];
    case 'resolved':
      return [`${c.green('resolved')}: ${event.message}`];
    case 'replaced':
      return [`${c.yellow('replaced')}: ${event.message}`];
    case 'error':
      return [`${c.red('error')}: ${event.message}`];
    case 'closed':
    case 'result':
      return [];
    default:
      return event satisfies never;
  }
}

function readyLines(event: Extract<CliEvent, { event: 'ready' }>, c: Colors): string[] {
  const { target, local_port, urls, bindings } = event;
  if (target === undefined) return bindingLines(bindings, c);
  const own = local_port === undefined ? urls : [`localhost:${local_port}`];
  const others = bindings.filter((each) =>
    each.local_port === undefined ? each.url === null || !urls.includes(each.url) : each.local_port !== local_port,
  );
  return [
    ...own.map((address) => `${c.bold(address)} ${c.dim('→')} ${target}`),
    ...(others.length > 0 ? bindingLines(others, c) : []),
  ];
}

function bindingLines(bindings: ShownBinding[], c: Colors): string[] {
  if (bindings.length === 0) return ['Nothing to do yet: the server has no mapping for this client'];
  return bindings.map(
    (binding) => `${c.bold(addressOf(binding))} ${c.dim('→')} ${binding.target ?? 'whatever the source names'}`,
  );
}
