import { defineConfig } from 'vitest/config';

export default defineConfig({
  test: {
    include: ['test/**/*.test.ts'],
    globalSetup: ['test/support/global-setup.ts'],
    testTimeout: 60_000,
    hookTimeout: 120_000,
    // What is waited for comes late on a busy machine, and a second is nothing there.
    expect: { poll: { timeout: 20_000 } },
    sequence: { shuffle: { files: true, tests: false } },
    maxWorkers: 2,
    reporters: ['default'],
  },
});
