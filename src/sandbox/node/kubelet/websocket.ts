import { createHash } from 'node:crypto';
import type { IncomingMessage } from 'node:http';
import type { Duplex } from 'node:stream';

/** The little of RFC 6455 that an exec stream needs: binary messages both ways, close, ping. */
export interface WebSocketPeer {
  send(data: Buffer): void;
  close(): void;
}

export interface WebSocketHandlers {
  message(data: Buffer): void;
  /** Once, however the connection ended. */
  closed(): void;
}

const GUID = '258EAFA5-E914-47DA-95CA-C5AB0DC85B11';

/** No frame of an exec stream is larger; a peer that claims more is cut off. */
const FRAME_LIMIT = 4 * 1024 * 1024;

/** Milliseconds for which a peer that was told of the end may take to agree. */
const CLOSING_MS = 2_000;

/** Accepts an upgrade with the given subprotocol. */
export function acceptWebSocket(
  request: IncomingMessage,
  socket: Duplex,
  head: Buffer,
  protocol: string,
  handlers: WebSocketHandlers,
): WebSocketPeer {
  const accept = createHash('sha1')
    .update(`${request.headers['sec-websocket-key'] ?? ''}${GUID}`)
    .digest('base64');
  socket.write(
    `HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n` +
      `Sec-WebSocket-Accept: ${accept}\r\nSec-WebSocket-Protocol: ${protocol}\r\n\r\n`,
  );
  let over = false;
  const end = (): void => {
    if (over) return;
    over = true;
    clearTimeout(closing);
    handlers.closed();
  };
  const write = (opcode: number, data: Buffer): void => {
    if (!socket.destroyed && socket.writable) socket.write(Buffer.concat([frameHead(opcode, data.length), data]));
  };
  let closing: NodeJS.Timeout | undefined;
  let pending: Buffer = head;
  let message: Buffer = Buffer.alloc(0);
  const read = (): void => {
    for (;;) {
      const frame = parseFrame(pending);
      if (frame === 'too large') {
        socket.destroy();
        return;
      }
      if (frame === undefined) return;
      pending = pending.subarray(frame.size);
      if (frame.opcode === 8) {
        if (closing === undefined) write(8, frame.data.subarray(0, 2));
        socket.end();
      } else if (frame.opcode === 9) write(10, frame.data);
      else if (frame.opcode <= 2) {
        message = Buffer.concat([message, frame.data]);
        if (!frame.final) continue;
        handlers.message(message);
        message = Buffer.alloc(0);
      }
    }
  };
  socket.on('data', (chunk: Buffer) => {
    pending = Buffer.concat([pending, chunk]);
    read();
  });
  socket.on('close', end).on('end', end).on('error', end);
  read();
  return {
    send: (data) => write(2, data),
    close: () => {
      if (over) return;
      write(8, Buffer.from([0x03, 0xe8]));
      // Not before the other side says so, too: a proxy in between that sees our end drops what it has not passed on yet.
      closing ??= setTimeout(() => socket.end(), CLOSING_MS);
    },
  };
}

function frameHead(opcode: number, length: number): Buffer {
  if (length < 126) return Buffer.from([0x80 | opcode, length]);
  if (length < 65_536) {
    const head = Buffer.from([0x80 | opcode, 126, 0, 0]);
    head.writeUInt16BE(length, 2);
    return head;
  }
  const head = Buffer.alloc(10);
  head[0] = 0x80 | opcode;
  head[1] = 127;
  head.writeBigUInt64BE(BigInt(length), 2);
  return head;
}

interface Frame {
  readonly opcode: number;
  readonly final: boolean;
  readonly data: Buffer;
  /** Bytes that the frame took. */
  readonly size: number;
}

/** The first frame of what was read; undefined while it is not complete. */
export function parseFrame(bytes: Buffer): Frame | 'too large' | undefined {
  if (bytes.length < 2) return undefined;
  const [first = 0, second = 0] = bytes;
  const short = second & 0x7f;
  const extra = short === 126 ? 2 : short === 127 ? 8 : 0;
  const masked = (second & 0x80) !== 0;
  const start = 2 + extra + (masked ? 4 : 0);
  if (bytes.length < start) return undefined;
  const length = extra === 2 ? bytes.readUInt16BE(2) : extra === 8 ? Number(bytes.readBigUInt64BE(2)) : short;
  if (length > FRAME_LIMIT) return 'too large';
  if (bytes.length < start + length) return undefined;
  const data = Buffer.from(bytes.subarray(start, start + length));
  if (masked) {
    for (let index = 0; index < length; index += 1)
      data[index] = (data[index] ?? 0) ^ (bytes[start - 4 + (index % 4)] ?? 0);
  }
  return { opcode: first & 0x0f, final: (first & 0x80) !== 0, data, size: start + length };
}
