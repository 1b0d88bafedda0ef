/** The platform cannot start or go on; the message tells a person what to do. */
export class StackError extends Error {
  override name = 'StackError';
}

/** Turns what the system says about files into what to do about it; other errors stay as they are. */
export function explainFileError(error: unknown, home: string): unknown {
  switch (causeCode(error)) {
    case 'ENOSPC':
    case 'EDQUOT':
      return new StackError(
        `The disk is full: free some space where ${home} is, or set TUNNOX_HOME to another folder.`,
      );
    case 'EACCES':
    case 'EPERM':
    case 'EROFS':
      return new StackError(
        `${home} cannot be written (${messageOf(error)}). Set TUNNOX_HOME to a folder that you may write, ` +
          'or give it back to yourself when it was made by another user.',
      );
    case 'ENOTDIR':
    case 'EEXIST':
      return new StackError(`${home} is not a folder (${messageOf(error)}). Set TUNNOX_HOME to another path.`);
    default:
      return /No space left on device/.test(messageOf(error))
        ? new StackError(`The disk is full: free some space where ${home} is, or set TUNNOX_HOME to another folder.`)
        : error;
  }
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

function causeCode(error: unknown): string | undefined {
  for (let at = error; at instanceof Error; at = at.cause) {
    if ('code' in at && typeof at.code === 'string' && 'syscall' in at) return at.code;
  }
  return undefined;
}
