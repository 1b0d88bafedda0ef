import type { Duplex } from 'node:stream';
import type { AgentMessage, Hello, RelayMessage } from '@tunnox/protocol/control-message';
import { MalformedControl } from '@tunnox/protocol/control-codec';
import { parseAgentMessage } from '@tunnox/protocol/parse-control';
import { ControlChannel } from '@tunnox/streams/control-channel';

export type RelayChannel = ControlChannel<RelayMessage, AgentMessage>;

/** What happens on an agent's control stream. */
export interface AgentEvents {
  /** The first message; nothing comes before it, and it comes once. */
  hello: (hello: Hello) => void | Promise<void>;
  message: (message: Exclude<AgentMessage, Hello>) => void;
  /** The agent broke the rules. It has been told; `closed` follows. */
  malformed: () => void;
  closed: () => void;
}

/** Reads an agent's control stream: `hello` first and once, then the rest. */
export function listenToAgent(stream: Duplex, events: AgentEvents): RelayChannel {
  let greeted = false;
  const channel: RelayChannel = new ControlChannel<RelayMessage, AgentMessage>(stream, {
    parse: parseAgentMessage,
    onMessage: (message) => {
      if ((message.type === 'hello') === greeted) {
        throw new MalformedControl(greeted ? 'hello came twice' : `hello must come first, not ${message.type}`);
      }
      if (message.type !== 'hello') return events.message(message);
      greeted = true;
      void events.hello(message);
    },
    onMalformed: (error) => {
      channel.send({ type: 'refused', code: 'malformed', message: error.message });
      events.malformed();
    },
    onClose: events.closed,
  });
  return channel;
}
