// The page works without this: it shows where one is in a navigation that scrolls, adds buttons that
// copy commands, and renews what is at work.
document.querySelector("nav [aria-current]")?.scrollIntoView({ block: "nearest", inline: "center" });

for (const box of document.querySelectorAll(".command")) {
  const button = box.querySelector("button");
  if (!navigator.clipboard) continue;
  button.hidden = false;
  button.addEventListener("click", async () => {
    await navigator.clipboard.writeText(box.querySelector("code").textContent);
    button.textContent = "Copied";
    setTimeout(() => { button.textContent = "Copy"; }, 2000);
  });
}

// A part with data-live is fetched again after so many seconds, with all other such parts; one
// without a number is renewed along with them.
const live = () => [...document.querySelectorAll("[data-live]")];
const wait = () => Math.min(...live().map((part) => Number(part.dataset.live) || Infinity));

// renew puts what is new into a part, and leaves the focus and an open log where they are.
function renew(part, fresh) {
  part.dataset.live = fresh.dataset.live;
  if (part.innerHTML === fresh.innerHTML || part.querySelector("details[open]")) return;
  const focus = part.contains(document.activeElement) ? document.activeElement : null;
  part.replaceChildren(...fresh.childNodes);
  if (focus) (focus.id && document.getElementById(focus.id) || part.querySelector("button, a") || part).focus();
}

async function look() {
  if (!document.hidden) {
    try {
      const answer = await fetch(location.href, { redirect: "error" });
      const fresh = new DOMParser().parseFromString(await answer.text(), "text/html");
      for (const part of live()) {
        const next = answer.ok && fresh.getElementById(part.id);
        if (next) renew(part, next);
      }
    } catch { /* it is tried again */ }
  }
  begin();
}

function begin() {
  document.documentElement.classList.add("renews");
  if (wait() < Infinity) setTimeout(look, 1000 * wait());
}

if (live().length > 0) begin();
