// A CGI script as it was written for any server: variables in, header and text out.
console.log("Content-Type: text/plain; charset=utf-8");
console.log();
for (const name of Object.keys(process.env).toSorted()) {
  console.log(`${name}=${process.env[name]}`);
}
