import { OK, type ApacheRequest, escapeHtml } from "mod-ts";
import { page, source } from "./layout.ts";

const form = `<form class="stacked" method="post" enctype="multipart/form-data">
<label for="file">A file, at most 5 MB</label>
<input id="file" type="file" name="file" required>
<label for="note">A note</label>
<input id="note" name="note" maxlength="200">
<button>Send</button>
</form>`;

export async function handler(req: ApacheRequest) {
  const parts = [form];
  if (req.method === "POST") {
    // A larger file is a 413. The file is deleted after the request unless saveAs() keeps it.
    const sent = await req.form({ fileBytes: 5_000_000 });
    const file = sent.getFirst("file");
    if (file && typeof file !== "string") {
      parts.unshift(`<table class="facts">
<tr><th>name</th><td>${escapeHtml(file.filename)}</td></tr>
<tr><th>type</th><td>${escapeHtml(file.type)}</td></tr>
<tr><th>size</th><td>${file.size} bytes</td></tr>
<tr><th>note</th><td>${escapeHtml(String(sent.getFirst("note") ?? ""))}</td></tr>
</table>`);
    }
  }
  req.contentType = "text/html";
  req.write(page("Upload", `${parts.join("\n")}\n${source("upload.ts")}`));
  return OK;
}
