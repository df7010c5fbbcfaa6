import { htmlFilter } from "mod-ts";

/** Changes a page that Apache serves while it streams: marks links to other sites, adds a line. */
export const outputFilter = htmlFilter({
  "a[href^='https:']": (link) => {
    link.setAttribute("rel", "external noopener").append(" ↗");
  },
  main: (main, { req }) => {
    main.append(`Rewritten for ${req.useragentIp} by examples/rewrite.ts.`);
  },
});
