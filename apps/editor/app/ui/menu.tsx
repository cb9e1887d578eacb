import { ContextMenu, DropdownMenu } from "radix-ui";
import type { ReactElement, ReactNode } from "react";
import { isField } from "./keys";

export interface MenuItem {
  label: string;
  icon?: ReactNode;
  /** In words, as `keyWords` gives them. */
  keys?: string | undefined;
  disabled?: boolean;
  /** Why it is disabled; said on the item. */
  why?: string | undefined;
  danger?: boolean;
  onSelect(): void;
}

export type MenuEntry = MenuItem | "line";

function Items({ items, of: { Item, Separator } }: { items: readonly MenuEntry[]; of: Pick<typeof DropdownMenu, "Item" | "Separator"> }) {
  return items.map((item, index) =>
    item === "line" ? (
      <Separator className="menu-line" key={`line-${index + 1}`} />
    ) : (
      <Item
        className={`menu-item${item.danger ? " text-bad" : ""}`}
        key={item.label}
        disabled={item.disabled === true || item.why !== undefined}
        onSelect={item.onSelect}
      >
        {item.icon ?? <span className="menu-icon" />}
        {item.label}
        {item.why ? <span className="text-tiny text-faint">{item.why}</span> : item.keys && <kbd className="text-tiny">{item.keys}</kbd>}
      </Item>
    ),
  );
}

/** The focus goes back to what opened the menu, but not from a field that an item has opened. */
function leaveFields(event: Event): void {
  if (isField(document.activeElement)) event.preventDefault();
}

export function Menu({ trigger, items }: { trigger: ReactElement; items: readonly MenuEntry[] }) {
  return (
    <DropdownMenu.Root modal={false}>
      <DropdownMenu.Trigger asChild>{trigger}</DropdownMenu.Trigger>
      <DropdownMenu.Portal>
        <DropdownMenu.Content className="menu" sideOffset={6} align="start" collisionPadding={8} onCloseAutoFocus={leaveFields}>
          <Items items={items} of={DropdownMenu} />
        </DropdownMenu.Content>
      </DropdownMenu.Portal>
    </DropdownMenu.Root>
  );
}

/** The menu of a right click, or of the menu key, upon `children`. */
export function RightClickMenu({ items, children }: { items: readonly MenuEntry[]; children: ReactElement }) {
  return (
    <ContextMenu.Root modal={false}>
      <ContextMenu.Trigger asChild>{children}</ContextMenu.Trigger>
      <ContextMenu.Portal>
        <ContextMenu.Content className="menu" collisionPadding={8}>
          <Items items={items} of={ContextMenu} />
        </ContextMenu.Content>
      </ContextMenu.Portal>
    </ContextMenu.Root>
  );
}
