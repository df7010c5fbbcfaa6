/**
 * The page for an error status, in the plain look of Apache's own.
 * @module
 */
import { escapeHtml } from "./html.ts";
import { reasonPhrase } from "./http-status.ts";

const explanations: Readonly<Record<number, string>> = {
  400: "The server cannot understand this request.",
  401: "This page needs a valid user name and password.",
  403: "You are not allowed to see this page.",
  404: "There is nothing at this address.",
  405: "This address does not accept that request method.",
  408: "The request took too long to arrive.",
  411: "The request must say how long its body is.",
  412: "A condition that the request sets does not hold.",
  413: "The body of the request is too large.",
  414: "The address is too long.",
  415: "The server does not accept a body of this type.",
  416: "The requested part lies outside the document.",
  429: "There were too many requests; try again later.",
  431: "The headers of the request are too large.",
  500: "Something went wrong on the server. Its error log says what.",
  501: "The server does not know this request method.",
  502: "The server behind this one gave no valid answer.",
  503: "The server cannot answer just now; try again later.",
  504: "The server did not answer in time.",
};

/**
 * @param status HTTP status code
 * @param uniqueId Apache's id of the request: what a visitor quotes and an administrator greps for
 */
export function errorPage(status: number, uniqueId: string): string {
  const title = `${status} ${reasonPhrase(status)}`;
  const reference = status >= 500 && uniqueId ? `<p>Reference: ${escapeHtml(uniqueId)}</p>\n` : "";
  return (
    `<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8">\n<title>${title}</title>\n</head><body>\n` +
    `<h1>${reasonPhrase(status)}</h1>\n<p>${explanations[status] ?? title}</p>\n${reference}</body></html>\n`
  );
}
