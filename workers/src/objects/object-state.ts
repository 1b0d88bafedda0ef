/**
 * The one record in which a Durable Object keeps its state. `schemaVersion` is stored beside it, so that a later version
 * of the code can tell what it reads.
 */
export interface StoredState<T> {
  load(): T;
  save(state: T): void;
}

interface StoredRecord<T> {
  schema_version: number;
  state: T;
}

const KEY = 'state';

/**
 * @param initial State of an object that has stored nothing: reading alone writes nothing.
 * @throws When the record was written by a newer version of the code.
 */
export function storedState<T>(storage: DurableObjectStorage, schemaVersion: number, initial: T): StoredState<T> {
  let current: T | undefined;
  return {
    load() {
      if (current === undefined) {
        const record = storage.kv.get<StoredRecord<T>>(KEY);
        if (record !== undefined && record.schema_version !== schemaVersion) {
          throw new Error(
            `Cannot read an object's state of version ${record.schema_version}: this is ${schemaVersion}`,
          );
        }
        current = record?.state ?? initial;
      }
      return current;
    },
    save(state) {
      // First: a state that is too large to be stored must not be what load() gives.
      storage.kv.put<StoredRecord<T>>(KEY, { schema_version: schemaVersion, state });
      current = state;
    },
  };
}
