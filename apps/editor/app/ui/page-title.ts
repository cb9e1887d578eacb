import { useEffect } from "react";

/** Names the tab after what the page shows. @param name undefined while it is not known */
export function usePageTitle(name: string | undefined): void {
  useEffect(() => {
    document.title = name ? `${name} | Spindle` : "Spindle";
  }, [name]);
}
