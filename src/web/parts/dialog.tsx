import type { ComponentChildren } from 'preact';
import { useId, useLayoutEffect, useRef } from 'preact/hooks';

interface DialogProps {
  readonly title: string;
  readonly onClose: () => void;
  readonly children: ComponentChildren;
}

/** The browser's own: it keeps the focus inside, closes with Escape and gives the focus back. */
export function Dialog({ title, onClose, children }: DialogProps) {
  const id = useId();
  const ref = useRef<HTMLDialogElement>(null);
  const over = useRef(false);
  const end = (): void => {
    if (!over.current) onClose();
    over.current = true;
  };
  // Closed while it is still in the document: a dialog that was taken out gives no focus back.
  useLayoutEffect(() => {
    const dialog = ref.current;
    if (dialog !== null && !dialog.open) dialog.showModal();
    return () => dialog?.close();
  }, []);
  return (
    <dialog
      ref={ref}
      aria-labelledby={id}
      onCancel={(event) => {
        // The browser gives the focus back before it says `close`: whoever pressed Enter in between had opened it in vain.
        event.preventDefault();
        event.currentTarget.close();
        end();
      }}
      onClose={end}
    >
      <div class="head">
        <h2 id={id}>{title}</h2>
        <button type="button" class="plain" onClick={end} aria-label="Close">
          ✕
        </button>
      </div>
      {children}
    </dialog>
  );
}
