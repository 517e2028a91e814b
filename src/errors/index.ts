export { BackstayError, type BackstayErrorOptions, isBackstayError } from './backstay-error.ts';
export { CODES, type CodeRow, type ErrorCode } from './codes.ts';
export { didYouMean } from './did-you-mean.ts';
export { isOutOfRoom } from './out-of-room.ts';
