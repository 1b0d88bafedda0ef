import type { Log } from './services/node-ports.ts';

type Level = 'info' | 'warn' | 'error';

/** JSON lines on the Worker's console, where the platform collects them. */
export function createLog(write: (level: Level, line: string) => void): Log {
  const at = (level: Level) => (fields: Record<string, unknown>, message: string) => {
    write(level, JSON.stringify({ level, time: new Date().toISOString(), msg: message, ...fields }));
  };
  return { info: at('info'), warn: at('warn'), error: at('error') };
}
