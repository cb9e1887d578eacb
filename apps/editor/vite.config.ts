import { vitePlugin as remix } from "@remix-run/dev";
import { defineConfig } from "vite";

export default defineConfig({
  plugins: [
    remix({
      future: {
        v3_fetcherPersist: true,
        v3_relativeSplatPath: true,
        v3_throwAbortReason: true,
        // Lazy route discovery is off: it watches every change of the document for links, which costs a large canvas most of its time;
        // there are five routes.
        v3_lazyRouteDiscovery: false,
        v3_singleFetch: true,
        v3_routeConfig: true,
      },
    }),
  ],
  // Dependencies are found at the start, not page by page: a dependency found late would bring a second React.
  optimizeDeps: { entries: ["app/**/*.{ts,tsx}"] },
  resolve: { dedupe: ["react", "react-dom"] },
  worker: { format: "es" },
  build: { chunkSizeWarningLimit: 6000, reportCompressedSize: false },
});
