import type { Page } from '@tunnox/domain/api/common';
import type { ListQuery } from './resource.ts';

const PAGE_SIZE = 100;

/**
 * Every item of a list, page after page, also while others are inserted:
 * `everyItem('clients', (page) => api.clients.list({ ...page, user_id }))`.
 */
export async function* everyItem<Plural extends string, Item>(
  plural: Plural,
  list: (page: ListQuery) => Promise<Page<Plural, Item>>,
): AsyncGenerator<Item> {
  let cursor: string | null = null;
  do {
    const page: Page<Plural, Item> = await list({ limit: PAGE_SIZE, ...(cursor === null ? {} : { cursor }) });
    yield* page[plural];
    cursor = page.next_cursor;
  } while (cursor !== null);
}
