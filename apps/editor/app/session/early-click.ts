// A press of a button before the page has its code. It is kept, and done once the button can do it.

interface Early {
  button: HTMLButtonElement | undefined;
  stop(): void;
}

/** Runs in the page before anything else. */
export const KEEP_EARLY_CLICK = `(()=>{const e={button:undefined,stop(){removeEventListener("click",f,true)}};const f=({target})=>{const b=target.closest&&target.closest("button");if(b){e.button=b;b.setAttribute("aria-busy","true")}};addEventListener("click",f,true);window.early=e})()`;

/** Does what was pressed last, and keeps no more presses. */
export function doEarlyClick(): void {
  const page = window as Window & { early?: Early };
  const { early } = page;
  delete page.early;
  early?.stop();
  early?.button?.removeAttribute("aria-busy");
  if (early?.button?.isConnected) early.button.click();
}
