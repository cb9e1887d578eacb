// Preloaded into a process of Node (NODE_OPTIONS=--import): its clock on the wall is off by CLOCK_SHIFT_MS. Timers are not.
const shift = Number(process.env.CLOCK_SHIFT_MS);
const RealDate = Date;
const now = () => RealDate.now() + shift;
globalThis.Date = class ShiftedDate extends RealDate {
  constructor(...given) {
    if (given.length === 0) super(now());
    else super(...given);
  }
  static now = now;
};
