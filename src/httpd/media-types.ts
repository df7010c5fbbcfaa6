/**
 * The media types that a private server knows, as `/etc/mime.types` is not on every machine.
 * @module
 */

/** Text for `TypesConfig`. `.ts` is among them as on every stock httpd: that is what source protection has to hold against. */
export const mediaTypes = `text/html html htm
text/plain txt md
text/css css
text/javascript js mjs
text/csv csv
text/event-stream sse
application/json json map
application/manifest+json webmanifest
application/pdf pdf
application/wasm wasm
application/xml xml
application/zip zip
audio/mpeg mp3
font/woff woff
font/woff2 woff2
image/avif avif
image/gif gif
image/jpeg jpeg jpg
image/png png
image/svg+xml svg
image/vnd.microsoft.icon ico
image/webp webp
video/mp2t ts m2t m2ts mts
video/mp4 mp4
video/webm webm
`;
