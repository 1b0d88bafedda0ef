import { problemSchema } from '@tunnox/domain/api/common';
import type { ZodType } from 'zod';

/** A JSON answer in a route's description. */
export function json<Schema extends ZodType>(schema: Schema, description: string) {
  return { description, content: { 'application/json': { schema } } };
}

/** A JSON body that must be there. */
export function body<Schema extends ZodType>(schema: Schema) {
  return { required: true, content: { 'application/json': { schema } } };
}

/** Every error of every route. */
export const problems = {
  default: { description: 'Problem', content: { 'application/problem+json': { schema: problemSchema } } },
};

export const noContent = { description: 'Done' };
