import { describe, expect, test } from 'vitest';
import { parseFrame } from '../../../../src/sandbox/node/kubelet/websocket.ts';

const masked = (opcode: number, data: Buffer): Buffer => {
  const mask = Buffer.from([1, 2, 3, 4]);
  const head =
    data.length < 126
      ? Buffer.from([0x80 | opcode, 0x80 | data.length])
      : Buffer.from([0x80 | opcode, 0x80 | 126, data.length >> 8, data.length & 255]);
  return Buffer.concat([head, mask, data.map((byte, index) => byte ^ (mask[index % 4] ?? 0))]);
};

describe('a WebSocket frame', () => {
  test.each([0, 1, 125, 126, 5000])('of %d bytes is read whole, and not before its last byte', (length) => {
    const data = Buffer.alloc(length, 'abc');
    const bytes = masked(2, data);
    expect(parseFrame(bytes)).toEqual({ opcode: 2, final: true, data, size: bytes.length });
    expect(parseFrame(bytes.subarray(0, -1))).toBeUndefined();
    expect(parseFrame(Buffer.concat([bytes, Buffer.from('next')]))).toMatchObject({ size: bytes.length });
  });

  test('that claims to be huge is refused', () => {
    const head = Buffer.alloc(14);
    head[0] = 0x82;
    head[1] = 0x80 | 127;
    head.writeBigUInt64BE(1n << 40n, 2);
    expect(parseFrame(head)).toBe('too large');
  });
});
