import { useEffect, useRef, useState } from 'preact/hooks';
import type { LogLine } from '../run-fold.ts';

/** More lines are in the report. */
const MOST = 400;
/** So near to the end one is still at the end. */
const NEAR_PX = 24;

/** What the run said, the newest at the end; it moves on by itself only while somebody reads the end. */
export function Log({ lines }: { lines: readonly LogLine[] }) {
  const ref = useRef<HTMLOListElement>(null);
  const [atEnd, setAtEnd] = useState(true);
  const top = useRef(0);
  /** Only who scrolls up leaves the end; what is added moves it away as well. */
  const scrolled = ({ scrollHeight, scrollTop, clientHeight }: HTMLElement): void => {
    const isUp = scrollTop < top.current;
    top.current = scrollTop;
    if (scrollHeight - scrollTop - clientHeight < NEAR_PX) setAtEnd(true);
    else if (isUp) setAtEnd(false);
  };
  useEffect(() => {
    if (atEnd && ref.current !== null) ref.current.scrollTop = ref.current.scrollHeight;
  }, [lines.length, atEnd]);
  if (lines.length === 0) return <p class="empty">Nothing yet.</p>;
  return (
    <>
      <ol
        class="log"
        ref={ref}
        tabIndex={0}
        aria-label="What the run said"
        onScroll={({ currentTarget }) => scrolled(currentTarget)}
      >
        {lines.slice(-MOST).map(({ sequence, time, tone, text }) => (
          <li key={sequence} data-tone={tone}>
            <time dateTime={time}>{time.slice(11, 19)}</time> {text}
          </li>
        ))}
      </ol>
      {atEnd ? null : (
        <button type="button" class="plain" onClick={() => setAtEnd(true)}>
          To the end
        </button>
      )}
    </>
  );
}
