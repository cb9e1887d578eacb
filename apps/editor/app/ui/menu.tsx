import { DropdownMenu } from "radix-ui";
import type { ReactElement, ReactNode } from "react";

export interface MenuItem {
  label: string;
  icon?: ReactNode;
  keys?: string;
  disabled?: boolean;
  danger?: boolean;
  onSelect(): void;
}

export function Menu({ trigger, items }: { trigger: ReactElement; items: (MenuItem | "line")[] }) {
  return (
    <DropdownMenu.Root modal={false}>
      <DropdownMenu.Trigger asChild>{trigger}</DropdownMenu.Trigger>
      <DropdownMenu.Portal>
        <DropdownMenu.Content className="menu" sideOffset={6} align="start" collisionPadding={8}>
          {items.map((item, index) =>
            item === "line" ? (
              <DropdownMenu.Separator className="menu-line" key={`line-${index + 1}`} />
            ) : (
              <DropdownMenu.Item
                className={`menu-item${item.danger ? " text-bad" : ""}`}
                key={item.label}
                disabled={item.disabled ?? false}
                onSelect={item.onSelect}
              >
                {item.icon}
                {item.label}
                {item.keys && <kbd className="text-tiny">{item.keys}</kbd>}
              </DropdownMenu.Item>
            ),
          )}
        </DropdownMenu.Content>
      </DropdownMenu.Portal>
    </DropdownMenu.Root>
  );
}
