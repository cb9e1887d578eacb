// Whether this person's edits run by themselves, kept in this browser. Off until somebody wants it.
import { create } from "zustand";
import { persist } from "zustand/middleware";

interface LiveSwitch {
  isOn: boolean;
}

export const useLiveSwitch = create<LiveSwitch>()(
  persist((): LiveSwitch => ({ isOn: false }), { name: "spindle.run-as-i-edit", skipHydration: true }),
);

export function toggleLive(): void {
  useLiveSwitch.setState(({ isOn }) => ({ isOn: !isOn }));
}
