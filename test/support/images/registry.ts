import { fileURLToPath } from 'node:url';
import type { SandboxImage } from '../../../src/sandbox/contract.ts';

/** Images that only tests know; loaded into the test run's sandbox beside the real ones. */
export const SANDBOX_IMAGES: readonly SandboxImage[] = [
  {
    repository: 'backstay-test/echo',
    tags: ['1', '2'],
    entry: fileURLToPath(new URL('./echo.mjs', import.meta.url)),
    env: { ECHO_FROM_IMAGE: 'image' },
  },
  {
    repository: 'backstay-test/writer',
    tags: ['1', '2'],
    entry: fileURLToPath(new URL('./writer.mjs', import.meta.url)),
  },
];
