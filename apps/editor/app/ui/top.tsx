import { NavLink } from "@remix-run/react";
import { SunMoon } from "lucide-react";
import type { ReactNode } from "react";
import { Tip } from "./tip";

export function Logo() {
  return (
    <svg className="logo" viewBox="0 0 20 20" fill="none" stroke="currentColor" strokeWidth="1.7" strokeLinecap="round" aria-hidden="true">
      <path d="M10 1.500v17M10 4c4 1.500 5.500 4 4.500 7-.8 2.400-2.400 4-4.500 5-2.100-1-3.700-2.600-4.500-5C4.500 8 6 5.500 10 4zM5.500 8.500l9 3M6 12l7.500 2.500M6.500 6l7.500 2.500" />
    </svg>
  );
}

export function ThemeButton() {
  const turn = () => {
    const next = document.documentElement.dataset.theme === "light" ? "dark" : "light";
    document.documentElement.dataset.theme = next;
    localStorage.setItem("spindle.theme", next);
  };
  return (
    <Tip text="Light or dark">
      <button type="button" className="button icon quiet" aria-label="Switch between light and dark" onClick={turn}>
        <SunMoon size={16} />
      </button>
    </Tip>
  );
}

/** The bar of every page but the canvas. */
export function TopNav({ children }: { children?: ReactNode }) {
  const style = ({ isActive }: { isActive: boolean }) => (isActive ? "active" : "");
  return (
    <header className="top">
      <Logo />
      <span className="strong logo-word">Spindle</span>
      <span className="separator" />
      <nav className="navigation" aria-label="Pages">
        <NavLink to="/" end className={style}>
          Graphs
        </NavLink>
        <NavLink to="/templates" className={style}>
          Templates
        </NavLink>
        <NavLink to="/runs" className={style}>
          Runs
        </NavLink>
        <NavLink to="/system" className={style}>
          System
        </NavLink>
      </nav>
      <span className="grow" />
      {children}
      <ThemeButton />
    </header>
  );
}
