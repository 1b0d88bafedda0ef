import { CONTROL_LINE_BYTES_MAX } from '@tunnox/protocol/control-codec';
import type { ConfigApplied, ConfigProblem } from '@tunnox/protocol/control-message';
import type { AppliedConfig } from './config-sync.ts';

/** For the message around the problems. */
const FRAME_BYTES = 1024;
/** What relays take. */
const PROBLEMS_MAX = 1000;
const MESSAGE_CHARS_MAX = 500;

/** What relays are told of an applied configuration: of many problems as many as a control message holds. */
export function configReport({ version, problems }: AppliedConfig): ConfigApplied {
  const told: ConfigProblem[] = [];
  let bytesLeft = CONTROL_LINE_BYTES_MAX - FRAME_BYTES;
  for (const problem of problems.slice(0, PROBLEMS_MAX)) {
    const short = { ...problem, message: problem.message.slice(0, MESSAGE_CHARS_MAX) };
    bytesLeft -= Buffer.byteLength(JSON.stringify(short)) + 1;
    if (bytesLeft < 0) break;
    told.push(short);
  }
  return { type: 'config_applied', version, problems: told };
}
