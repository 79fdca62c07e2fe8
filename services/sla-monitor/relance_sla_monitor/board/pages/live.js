// Takes what is new from the stream, and counts the time by the server's clock. Without it the page reloads by itself.
{
  const live = document.getElementById("live");
  const link = document.getElementById("link");
  const said = document.getElementById("said");
  const words = { in_time: "in time", at_risk: "at risk", breached: "overdue" };
  const silence = 15000;
  let offset = link.dataset.now - Date.now();
  let read = +link.dataset.read;
  let told = live.querySelector(".tiles").dataset.said;
  let connected = false;

  const written = (ms) => {
    const s = Math.floor(Math.abs(ms) / 1000);
    const two = (n) => String(n).padStart(2, "0");
    if (s < 3600) return `${Math.floor(s / 60)}:${two(s % 60)}`;
    if (s < 86400) return `${Math.floor(s / 3600)} h ${two(Math.floor(s / 60) % 60)} min`;
    return `${Math.floor(s / 86400)} d ${Math.floor(s / 3600) % 24} h`;
  };
  const put = (element, text) => { if (element.textContent !== text) element.textContent = text; };

  const tick = () => {
    const now = Date.now() + offset;
    for (const row of live.querySelectorAll("tr[data-started]")) {
      const { deadline, risk, started } = row.dataset;
      put(row.querySelector(".age"), written(now - started));
      if (!deadline) continue; // on hold: the server says when it goes on
      const state = now >= deadline ? "breached" : risk && now >= risk ? "at_risk" : "in_time";
      row.className = state;
      put(row.querySelector(".state span"), words[state]);
      put(row.querySelector(".left"), (now >= deadline ? "-" : "") + written(deadline - now));
    }
    const fresh = connected && now - read < silence;
    link.classList.toggle("lost", !fresh);
    const time = (ms) => new Date(ms).toLocaleTimeString("en-GB", { timeZone: link.dataset.zone });
    put(link, fresh ? `live · ${time(now)}` : `not live · as of ${time(read)}`);
  };

  const follow = () => {
    const source = new EventSource("board/stream");
    source.addEventListener("board", ({ data }) => {
      live.innerHTML = JSON.parse(data).html; // rendered and escaped by the server
      tick();
      const news = live.querySelector(".tiles").dataset.said;
      if (news !== told) put(said, (told = news));
    });
    source.addEventListener("beat", ({ data }) => {
      const times = JSON.parse(data);
      [offset, read, connected] = [times.now - Date.now(), times.read, true];
      tick();
    });
    source.onerror = async () => {
      connected = false;
      tick();
      if (source.readyState !== EventSource.CLOSED) return; // it connects again by itself
      await new Promise((done) => setTimeout(done, 3000));
      // Refused: the link may have expired, which the page says.
      const page = await fetch(location.href).catch(() => null);
      if (page && page.status === 401) location.reload();
      else follow();
    };
  };

  setInterval(tick, 1000);
  follow();
}
