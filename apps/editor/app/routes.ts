import { index, type RouteConfig, route } from "@remix-run/route-config";

export default [
  index("pages/graphs.tsx"),
  route("templates/:name?", "pages/templates.tsx"),
  route("runs/:id?", "pages/runs.tsx"),
  route("runs/:id/compare/:other", "pages/compare.tsx"),
  route("system", "pages/system.tsx"),
  route("g/:id", "pages/graph.tsx"),
] satisfies RouteConfig;
