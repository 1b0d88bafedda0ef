import { ProviderError } from '../zone-provider.ts';

/** A zone of 20 000 records is about half of it; an isolate has 128 MB. */
const BYTES_MAX = 16 * 1024 * 1024;

/**
 * Reads an answer's JSON, whatever its status.
 *
 * @returns undefined: it is not JSON; null: it is empty.
 * @throws {ProviderError} `unreachable` when it breaks off, or is larger than any zone can be
 */
export async function readJsonAnswer(response: Response, provider: string): Promise<unknown> {
  const text = await readText(response, provider);
  if (text === '') return null;
  try {
    return JSON.parse(text) as unknown;
  } catch {
    return undefined;
  }
}

async function readText(response: Response, provider: string): Promise<string> {
  const decoder = new TextDecoder();
  let text = '';
  let bytes = 0;
  // Types of Node and of Workers disagree about a body.
  const reader = (response.body as ReadableStream<Uint8Array> | null)?.getReader();
  try {
    for (let part = await reader?.read(); part?.done === false; part = await reader?.read()) {
      bytes += part.value.length;
      if (bytes > BYTES_MAX) {
        await reader?.cancel();
        throw new ProviderError('unreachable', `${provider} sends more than a zone can be: check the endpoint`);
      }
      text += decoder.decode(part.value, { stream: true });
    }
  } catch (cause) {
    if (cause instanceof ProviderError) throw cause;
    throw new ProviderError('unreachable', `The answer of ${provider} broke off, or took too long`, { cause });
  }
  return text + decoder.decode();
}
