import type { NodeMessage } from '@tunnox/domain/relay-api';

/** A message without its number. `resync` has none and is never queued. */
export type UnsentMessage = WithoutSeq<Exclude<NodeMessage, { type: 'resync' }>>;

type WithoutSeq<M> = M extends unknown ? Omit<M, 'seq'> : never;

export interface MessageQueueOptions {
  /** Messages that are kept for a relay that does not acknowledge; beyond it they are given up for a `resync`. */
  messagesMax: number;
}

/** What a relay that comes back has to be sent. */
export interface Replay {
  /** Some messages are lost: it shall announce everything. */
  resync: boolean;
  /** Messages as they go over the socket, in order. */
  messages: string[];
}

/**
 * Messages to one relay, numbered, kept until they are acknowledged. A message replaces an older one of its topic (the
 * peers, the policy of one client), so the queue is bounded by what there is to say.
 */
export class MessageQueue {
  readonly #sql: SqlStorage;
  readonly #options: MessageQueueOptions;

  constructor(sql: SqlStorage, options: MessageQueueOptions) {
    this.#sql = sql;
    this.#options = options;
    sql.exec(`
      create table if not exists messages (seq integer primary key, topic text unique, body text not null);
      create table if not exists counters (name text primary key, value integer not null);`);
  }

  /** Begins anew, for a new incarnation. */
  reset(): void {
    this.#sql.exec('delete from messages');
    this.#sql.exec('delete from counters');
  }

  /** @returns The message as it goes over the socket. */
  add(message: UnsentMessage): string {
    const seq = this.#counter('last') + 1;
    const body = JSON.stringify({ ...message, seq });
    this.#setCounter('last', seq);
    this.#sql.exec('insert or replace into messages (seq, topic, body) values (?, ?, ?)', seq, topicOf(message), body);
    this.#shed();
    return body;
  }

  /** The relay has handled message `seq`. */
  acknowledge(seq: number): void {
    this.#sql.exec('delete from messages where seq = ?', seq);
  }

  /** The relay is back and has handled everything up to `lastSeq`. */
  replay(lastSeq: number): Replay {
    // A relay that knows of later numbers than we do: ours were lost, and it would take new ones for repetitions.
    const ahead = lastSeq > this.#counter('last');
    if (ahead) this.#setCounter('last', lastSeq);
    const resync = ahead || lastSeq < this.#counter('lost');
    this.#sql.exec('delete from messages where seq <= ?', lastSeq);
    const rows = this.#sql.exec<{ body: string }>('select body from messages order by seq').toArray();
    return { resync, messages: rows.map((row) => row.body) };
  }

  /** Gives up what a `resync` brings anyway. */
  #shed(): void {
    const { kept } = this.#sql.exec<{ kept: number }>('select count(*) as kept from messages').one();
    if (kept <= this.#options.messagesMax) return;
    this.#sql.exec(`delete from messages where topic is null or topic like 'policy:%'`);
    this.#setCounter('lost', this.#counter('last'));
  }

  #counter(name: 'last' | 'lost'): number {
    const [row] = this.#sql.exec<{ value: number }>('select value from counters where name = ?', name);
    return row?.value ?? 0;
  }

  #setCounter(name: 'last' | 'lost', value: number): void {
    this.#sql.exec('insert or replace into counters (name, value) values (?, ?)', name, value);
  }
}

function topicOf(message: UnsentMessage): string | null {
  switch (message.type) {
    case 'policy':
      return `policy:${message.policy.client_id}`;
    case 'peers':
    case 'keys':
    case 'certificates':
    case 'drain':
    case 'superseded':
      return message.type;
    case 'void_tickets':
      return `void_tickets:${message.client_id}:${message.below_generation}`;
    case 'close_client':
      return null;
  }
}
