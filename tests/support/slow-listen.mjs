// Every server of the process listens two seconds after it was asked to: what must not happen before would have happened by then.
import { Server } from "node:net";

const listen = Server.prototype.listen;
Server.prototype.listen = function (...args) {
  setTimeout(() => listen.apply(this, args), 2000);
  return this;
};
