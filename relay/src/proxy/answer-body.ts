import type { Answer } from './answer.ts';
import { answerPage } from './answer-page.ts';
import { splitList } from './http1/connection-options.ts';

export interface AnswerBody {
  contentType: string;
  body: string;
}

/** Body of an answer in the form that the visitor reads best: a page for browsers, text or a problem document else. */
export function answerBody(answer: Answer, accept: string | null): AnswerBody {
  switch (preferredForm(accept)) {
    case 'html':
      return { contentType: 'text/html; charset=utf-8', body: answerPage(answer) };
    case 'json': {
      const { status, title, detail, code } = answer;
      const problem = { type: 'about:blank', title, status, detail, code };
      return { contentType: 'application/problem+json', body: `${JSON.stringify(problem)}\n` };
    }
    case 'text':
      return { contentType: 'text/plain; charset=utf-8', body: `${answer.title}\n\n${answer.detail}\n` };
  }
}

type Form = 'html' | 'json' | 'text';

const FORMS: ReadonlyMap<string, Form> = new Map([
  ['text/html', 'html'],
  ['application/xhtml+xml', 'html'],
  ['application/json', 'json'],
  ['application/problem+json', 'json'],
  ['text/plain', 'text'],
]);

/**
 * Only types that are named count: a bare wildcard comes from programs, for which plain text is the best guess.
 *
 * @see RFC 9110, section 12.5.1
 */
function preferredForm(accept: string | null): Form {
  let best: Form = 'text';
  let bestQuality = 0;
  for (const range of splitList(accept ?? '')) {
    const [type = '', ...parameters] = range.toLowerCase().split(';');
    const form = FORMS.get(type.trim());
    const quality = qualityOf(parameters);
    if (form !== undefined && quality > bestQuality) {
      best = form;
      bestQuality = quality;
    }
  }
  return best;
}

function qualityOf(parameters: string[]): number {
  for (const parameter of parameters) {
    const value = /^\s*q\s*=\s*([01](?:\.[0-9]{0,3})?)\s*$/.exec(parameter)?.[1];
    if (value !== undefined) return Number(value);
  }
  return 1;
}
