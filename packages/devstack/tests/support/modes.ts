import { after, before, describe } from 'node:test';
import { needs } from '@tunnox/testing/needs';
import { startRedis, type RedisFixture } from '@tunnox/testing/redis-fixture';
import { startStack, type RunningStack, type StackOptions } from '@tunnox/testing/stack';

/** A platform that a suite's tests share; set when its tests run. */
export interface ModeContext {
  readonly platform: RunningStack;
  /** Absent in the mode without Redis. */
  readonly redis: RedisFixture | undefined;
}

/** Runs a suite against a platform without Redis and, at the same time, against one with it. */
export function inBothModes(title: string, options: StackOptions, suite: (context: ModeContext) => void): void {
  describe(title, { concurrency: true }, () => {
    inMode(`${title} (no Redis)`, options, false, suite);
    inMode(`${title} (Redis)`, options, true, suite);
  });
}

/** Runs a suite against a platform of its own. */
export function inMode(
  title: string,
  options: StackOptions,
  withRedis: boolean,
  suite: (context: ModeContext) => void,
): void {
  describe(title, { concurrency: false, skip: withRedis ? needs('redis-server') : false }, () => {
    let platform: RunningStack | undefined;
    let redis: RedisFixture | undefined;
    before(async () => {
      redis = withRedis ? await startRedis() : undefined;
      platform = await startStack({
        ...options,
        env: { ...options.env, ...(redis === undefined ? {} : { REDIS_URL: redis.url }) },
      });
    });
    after(async () => {
      await platform?.stop();
      await redis?.stop();
    });
    suite({
      get platform() {
        if (platform === undefined) throw new Error('The platform is not running');
        return platform;
      },
      get redis() {
        return redis;
      },
    });
  });
}
