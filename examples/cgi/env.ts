// A CGI script as for any server: it reads variables, and writes a header and text.
console.log("Content-Type: text/plain; charset=utf-8");
console.log();
for (const name of Object.keys(process.env).toSorted()) {
  console.log(`${name}=${process.env[name]}`);
}
