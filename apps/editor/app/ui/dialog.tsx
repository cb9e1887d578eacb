// What all dialogs over the page share: a title, the way out by Esc and by a click beside, and where the focus goes after it.
import { Dialog as Radix } from "radix-ui";
import type { KeyboardEvent, ReactNode } from "react";
import { useReturnOfFocus } from "./focus";

interface Props {
  title: ReactNode;
  /** Whether only those hear the title who do not see the dialog. */
  isTitleHidden?: boolean;
  className?: string;
  onClose(): void;
  children: ReactNode;
}

export function Dialog({ title, isTitleHidden = false, className = "", onClose, children }: Props) {
  const returnFocus = useReturnOfFocus();
  // Radix begins to hear Esc a moment after the dialog has the focus; once it does, it prevents what the key would do otherwise.
  const closeEarly = ({ key, defaultPrevented }: KeyboardEvent) => {
    if (key === "Escape" && !defaultPrevented) onClose();
  };
  return (
    <Radix.Root open onOpenChange={(open) => !open && onClose()}>
      <Radix.Portal>
        <Radix.Overlay className="dialog-backdrop" />
        <Radix.Content
          className={`dialog ${className}`.trimEnd()}
          aria-describedby={undefined}
          onCloseAutoFocus={returnFocus}
          onKeyDown={closeEarly}
        >
          <Radix.Title asChild>
            <h2 className={isTitleHidden ? "visually-hidden" : undefined}>{title}</h2>
          </Radix.Title>
          {children}
        </Radix.Content>
      </Radix.Portal>
    </Radix.Root>
  );
}

/** Closes the dialog that it is in. */
export function CloseButton({ children }: { children: ReactNode }) {
  return (
    <Radix.Close asChild>
      <button type="button" className="button large">
        {children}
      </button>
    </Radix.Close>
  );
}
