import type { AuditEntry } from '@tunnox/domain/api/audit';
import { toProblemResponse } from '../../problem.ts';

/**
 * The pages as one streamed answer, a line for each entry; the next page is read when the reader has taken the last. The
 * status has been sent when a later page fails: then the last line is `{"error": problem, "after": id}`.
 *
 * @param after What the pages begin behind.
 */
export function ndjson(pages: AsyncIterator<AuditEntry[]>, after: number, requestId: string): Response {
  const encoder = new TextEncoder();
  let last = after;
  const body = new ReadableStream<Uint8Array>({
    async pull(controller) {
      try {
        const page = await pages.next();
        if (page.done === true) return controller.close();
        controller.enqueue(encoder.encode(page.value.map((entry) => `${JSON.stringify(entry)}\n`).join('')));
        last = page.value.at(-1)?.audit_id ?? last;
      } catch (error) {
        const problem: unknown = await toProblemResponse(error, requestId).json();
        controller.enqueue(encoder.encode(`${JSON.stringify({ error: problem, after: last })}\n`));
        controller.close();
      }
    },
    async cancel() {
      await pages.return?.();
    },
  });
  return new Response(body, { headers: { 'content-type': 'application/x-ndjson' } });
}
