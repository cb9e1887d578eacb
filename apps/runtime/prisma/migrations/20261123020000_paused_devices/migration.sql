-- Devices that begin nothing new until somebody resumes them (docs/decisions/0055); "all" is every device.
CREATE TABLE "paused_device" (
  "device" TEXT PRIMARY KEY,
  "by" TEXT NOT NULL DEFAULT '',
  "at" TIMESTAMPTZ(3) NOT NULL DEFAULT CURRENT_TIMESTAMP
);
