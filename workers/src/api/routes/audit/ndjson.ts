import type { AuditExport } from '../../../services/audit-service.ts';
import { toProblemResponse } from '../../problem.ts';

/**
 * The pages as one streamed answer, a line for each entry; the next page is read when the reader has taken the last. The
 * status has been sent when a later page fails: then the last line is `{"error": problem, "after": id}`. When there are
 * more lines than one answer gives, it is `{"more": true, "after": id}`.
 *
 * @param after What the pages begin behind.
 */
export function ndjson(pages: AuditExport, after: number, requestId: string): Response {
  const encoder = new TextEncoder();
  const linesOf = (values: readonly unknown[]) =>
    encoder.encode(values.map((value) => `${JSON.stringify(value)}\n`).join(''));
  let last = after;
  const body = new ReadableStream<Uint8Array>({
    async pull(controller) {
      try {
        const page = await pages.next();
        if (page.done !== true) {
          controller.enqueue(linesOf(page.value));
          last = page.value.at(-1)?.audit_id ?? last;
          return;
        }
        if (page.value === 'more') controller.enqueue(linesOf([{ more: true, after: last }]));
      } catch (error) {
        const problem: unknown = await toProblemResponse(error, requestId).json();
        controller.enqueue(linesOf([{ error: problem, after: last }]));
      }
      controller.close();
    },
    async cancel() {
      await pages.return('all');
    },
  });
  return new Response(body, { headers: { 'content-type': 'application/x-ndjson' } });
}
