// Loaded with --import into every process of the platform: none outlives the supervisor, however that one ended.

/** For an orderly end after SIGTERM; then the process is cut. */
const GRACE_MS = 2500;

process.once('disconnect', () => {
  setTimeout(() => process.exit(1), GRACE_MS).unref();
  process.kill(process.pid, 'SIGTERM');
});
// The channel alone must not keep a process alive that has nothing more to do.
process.channel?.unref();
